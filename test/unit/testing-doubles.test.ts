import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ctnetlink } from '../../src/ctnetlink/subsystem.ts';
import type { Batch } from '../../src/nfnetlink/transport.ts';
import {
  ack,
  data,
  dump,
  formatRecording,
  ManualClock,
  parseRecording,
  Recorder,
  replay,
  ScriptedTransport,
  together,
} from '../../src/testing/index.ts';
import {
  connect,
  deleteRequest,
  dumpRequest,
  entries,
  entry,
  getRequest,
  markOf,
  rejection,
  settled,
} from '../support/requests.ts';

test('an unexpected request rejects with both trees, and assertDone repeats it', async () => {
  const kernel = new ScriptedTransport({ subsystems: [ctnetlink] }).expect(deleteRequest(1), ack());
  const { connection } = connect(kernel);
  const error = await rejection(connection.acknowledge(deleteRequest(2)));
  for (const line of [
    '-     "value": 1',
    '+     "value": 2',
    '      "attr": "CTA_MARK",',
    'IPCTNL_MSG_CT_DELETE',
  ]) {
    assert.ok(error.message.includes(line), `${line} in\n${error.message}`);
  }
  assert.throws(() => kernel.assertDone(), error.message);
});

test('a request too many, and one that does not come, are faults', async () => {
  const kernel = new ScriptedTransport({ subsystems: [ctnetlink] });
  const { connection } = connect(kernel);
  assert.match(
    (await rejection(connection.acknowledge(deleteRequest(2)))).message,
    'no more requests were expected',
  );
  const idle = new ScriptedTransport({ subsystems: [ctnetlink] })
    .expect(deleteRequest(1))
    .expect(deleteRequest(2));
  assert.throws(() => idle.assertDone(), /2 expected requests did not come(.|\n)*CTA_MARK/);
});

test('a batch is overwritten when its callback has returned', () => {
  const kernel = new ScriptedTransport({ isManual: true });
  let kept: Batch | undefined;
  kernel.onBatch((batch) => {
    kept = batch;
  });
  kernel.emit(entry(1));
  kernel.deliver();
  assert.ok(kept!.buffer.every((byte) => byte === 0xa5));
});

test('a full buffer drops everything until it has been read empty', () => {
  const kernel = new ScriptedTransport({ isManual: true, queueLimit: 2 });
  const heard: string[] = [];
  kernel.onOverrun(() => heard.push('overrun'));
  kernel.onBatch(({ buffer, bounds }) => heard.push(String(markOf(buffer, bounds[0]))));
  kernel.emit(...entries(4));
  kernel.deliver(1);
  kernel.emit(entry(5));
  kernel.deliver(1);
  kernel.emit(entry(6));
  kernel.deliver();
  assert.equal(heard, ['overrun', '0', '1', '6']);
});

test('a paused kernel keeps its datagrams, and a closed one is silent', async () => {
  const kernel = new ScriptedTransport();
  let batches = 0;
  kernel.onBatch(() => {
    batches += 1;
  });
  kernel.pause();
  kernel.emit(entry(1));
  await settled();
  assert.is(batches, 0);
  kernel.resume();
  await settled();
  assert.is(batches, 1);
  kernel.emit(entry(2));
  await kernel.close();
  await settled();
  assert.is(batches, 1);
  assert.throws(() => kernel.send(deleteRequest()), /closed/);
});

test('replies can share a datagram', async () => {
  const kernel = new ScriptedTransport({ isManual: true }).expect(
    getRequest(),
    together(data(entry(1), entry(2)), ack()),
  );
  const { connection } = connect(kernel);
  const answer = connection.query(getRequest(), markOf);
  await settled();
  kernel.deliver(1);
  assert.equal(await answer, [1, 2]);
});

test('a recorded conversation is replayed to the same answers, from text too', async () => {
  const talk = async (transport: ScriptedTransport | Recorder) => {
    const { connection, clock } = connect(transport, { firstSeq: 5 });
    const outcomes: unknown[] = [await connection.query(getRequest(1), markOf)];
    outcomes.push((await rejection(connection.acknowledge(deleteRequest(1)))).code);
    for await (const mark of connection.dump(dumpRequest(), markOf)) outcomes.push(mark);
    clock.turn();
    return [...outcomes, connection.stats.unsolicited];
  };
  const kernel = new ScriptedTransport()
    .expect(getRequest(1), data(entry(7)), ack())
    .expect(deleteRequest(1), () => [{ kind: 'datagram', bytes: entry(9) }], ack(2))
    .expect(dumpRequest(), dump(entries(100)));
  const recorder = new Recorder(kernel);
  const live = await talk(recorder);
  assert.equal(live.slice(0, 3), [[7], 'ENOENT', 0]);
  assert.is(live.at(-1), 1);

  const text = formatRecording(recorder.records);
  const again = replay(parseRecording(`# conntrack\n\n${text}\n`), { portId: 99 });
  assert.equal(await talk(again), live);
  again.assertDone();
});

test('a recording keeps overruns, and text that is none is an error with its line', () => {
  const kernel = new ScriptedTransport({ isManual: true });
  const recorder = new Recorder(kernel);
  recorder.onOverrun(() => {});
  recorder.onBatch(() => {});
  kernel.overrun();
  kernel.emit(new Uint8Array([0xab, 0x01]));
  kernel.deliver();
  assert.is(formatRecording(recorder.records), '!\n< ab01');
  assert.equal(parseRecording('!\n< ab01'), recorder.records);
  assert.throws(() => parseRecording('> 00\n? 00'), /line 2/);
  assert.throws(() => parseRecording('> 0'), /line 1/);
});

test('the manual clock calls timers in the order of their times, and turns between them', () => {
  const clock = new ManualClock();
  const heard: string[] = [];
  clock.after(20, () => heard.push(`b ${clock.now()}`));
  clock.after(10, () => {
    heard.push(`a ${clock.now()}`);
    clock.nextTurn(() => heard.push('turn'));
    clock.after(5, () => heard.push(`c ${clock.now()}`));
  });
  clock.after(15, () => heard.push('never')).cancel();
  clock.advance(30);
  assert.equal(heard, ['a 10', 'turn', 'c 15', 'b 20']);
  assert.equal([clock.now(), clock.timers], [30, 0]);
});

test.run();
