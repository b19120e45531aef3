/** Flows judged in batches: who is asked about, how many at once, and what is made of the answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Judge, type SetProbes } from '../../src/daemon/judge.ts';
import type { Plan } from '../../src/daemon/plan.ts';
import type { Probe } from '../../src/daemon/questionBatch.ts';
import { makeStanding, type Standing } from '../../src/daemon/standing.ts';
import type { Verdict } from '../../src/daemon/verdict.ts';
import { readU32host, toHex, writeU32host } from '../../src/nfnetlink/bytes.ts';
import type { PipelineHandler, Requester } from '../../src/nfnetlink/index.ts';
import { flow, INET, INET6, plainRule, plan, rule, uplink } from '../support/plans.ts';
import { settled } from '../support/requests.ts';
import { flowStore } from '../support/storedFlows.ts';

const HIT = 0;
const MISS = 4103;
const ENOENT = 2;
const EPERM = 1;

/** A question is a header and the flow's destination; of another rule's set another length in it. */
const probeOf = (rule: number): Probe => ({
  byteLength: 36,
  write(target, offset, store, slot) {
    const bytes = store.bytesOf(slot);
    const at = store.destinationAt(slot);
    target.fill(0, offset, offset + 36);
    writeU32host(target, offset, 36);
    target[offset + 16] = rule;
    target.set(bytes.subarray(at, at + 16), offset + 20);
    return offset + 36;
  },
});

/** What was asked together, until it is answered. */
interface Asked {
  readonly count: number;
  readonly keys: readonly string[];
  readonly answer: (errnoOf: (index: number) => number) => void;
  readonly fail: (error: Error) => void;
}

function asked(messages: Uint8Array, handler: PipelineHandler): [Asked, Promise<void>] {
  const keys: string[] = [];
  for (let at = 0; at < messages.length; at += readU32host(messages, at))
    keys.push(toHex(messages, at + 16, at + readU32host(messages, at)));
  let resolve!: () => void;
  let fail!: (error: Error) => void;
  const promise = new Promise<void>((done, broken) => {
    resolve = done;
    fail = broken;
  });
  const answer = (errnoOf: (index: number) => number) => {
    const none = new Uint8Array();
    for (let i = 0; i < keys.length; i++) handler.onAck(i, errnoOf(i), none, 0, 0);
    resolve();
  };
  return [{ count: keys.length, keys, answer, fail }, promise];
}

const uplinks = [uplink('wan'), uplink('wanb', { mark: 0x200 })];
const twoUplinks = plan(uplinks, [rule([0])]);

function open(of: Plan = twoUplinks, sets: Partial<SetProbes> = {}) {
  const { store, keep } = flowStore();
  const rounds: Asked[] = [];
  const verdicts: (readonly [slot: number, Verdict['kind']])[] = [];
  const failures: unknown[] = [];
  let standing: Standing = makeStanding(
    of,
    of.interfaces.map(() => true),
  );
  let roundsDone = 0;
  const requester = {
    pipeline(messages: Uint8Array, handler: PipelineHandler) {
      const [round, promise] = asked(messages, handler);
      rounds.push(round);
      return promise;
    },
  } as Requester;
  const judge = new Judge({
    store,
    sets: {
      probe: (index) => (of.rules[index]!.set === null ? undefined : probeOf(index)),
      isKnown: () => true,
      ...sets,
    },
    requester,
    standing: () => standing,
    onVerdict: (slot, { kind }) => {
      verdicts.push([slot, kind]);
      store.free(slot);
    },
    onRound: () => roundsDone++,
    onFailure: (error) => failures.push(error),
  });
  const submit = (...flows: readonly ReturnType<typeof flow>[]) => {
    const slots = flows.map((facts) => keep(facts));
    for (const slot of slots) judge.submit(slot);
    return slots;
  };
  const kinds = () => verdicts.map(([, kind]) => kind);
  return {
    ...{ judge, submit, rounds, verdicts, kinds, failures, store },
    stand: (online: readonly boolean[]) => {
      standing = makeStanding(of, online);
    },
    get roundsDone() {
      return roundsDone;
    },
  };
}

const on = (index: number, destination = '203.0.113.10') =>
  flow('192.168.1.7', destination, { interface: index });
const many = (count: number, index = 1) =>
  Array.from({ length: count }, (_, n) => on(index, `203.0.${n >> 8}.${n & 0xff}`));

for (const [what, errno, verdict] of [
  ['a hit', HIT, 'misplaced'],
  ['a miss', MISS, 'unclassified'],
  ['no such set any more', ENOENT, 'unclassified'],
  ['any other refusal', EPERM, 'unclassified'],
] as const) {
  for (const [family, destination] of [
    [INET, '203.0.113.10'],
    [INET6, '2001:db8:2::10'],
  ] as const) {
    test(`${what} is ${verdict}, family ${family}`, async () => {
      const bench = open();
      const source = family === INET ? '192.168.1.7' : '2001:db8:1::7';
      const [slot] = bench.submit(flow(source, destination, { interface: 1 }));
      bench.judge.flush();
      bench.rounds[0]!.answer(() => errno);
      await settled();
      assert.equal(bench.verdicts, [[slot, verdict]]);
      assert.is(bench.roundsDone, 1);
    });
  }
}

test('where no answer can matter nobody is asked', () => {
  const bench = open();
  bench.submit(on(0));
  bench.judge.flush();
  assert.equal([bench.rounds.length, bench.kinds()], [0, ['placed']]);
  assert.equal(bench.judge.totals, { tested: 0, questions: 0 });
});

test('flows to one destination share a question, and rules do not', async () => {
  const bench = open(plan(uplinks, [rule([0]), rule([0], { name: 'second' })]));
  bench.submit(on(1), on(1), on(1, '203.0.113.11'));
  bench.judge.flush();
  assert.is(bench.rounds[0]!.count, 4);
  assert.is(new Set(bench.rounds[0]!.keys).size, 4);
  // the second rule's set holds the first destination
  bench.rounds[0]!.answer((index) => (index === 1 ? HIT : MISS));
  await settled();
  assert.equal(bench.kinds(), ['misplaced', 'misplaced', 'unclassified']);
  assert.equal(bench.judge.totals, { tested: 3, questions: 4 });
});

test('a set that is missing or can hold no such flow is a miss; one that is not known may hold anything', async () => {
  const rules = [rule([1], { name: 'first' }), rule([0])];
  const probe = (index: number) => (index === 0 ? undefined : probeOf(index));
  for (const [isKnown, verdict] of [
    [true, 'misplaced'],
    [false, 'unclassified'],
  ] as const) {
    const bench = open(plan(uplinks, rules), { probe, isKnown: () => isKnown });
    bench.submit(on(1));
    bench.judge.flush();
    bench.rounds[0]!.answer(() => HIT);
    await settled();
    assert.equal(bench.kinds(), [verdict]);
  }
});

test('a rule without a set takes the flow that it fits, and is not asked about', async () => {
  const bench = open(plan(uplinks, [rule([1]), plainRule([0], { failback: 'reset' })]));
  bench.submit(on(1), on(1, '203.0.113.11'));
  bench.judge.flush();
  assert.is(bench.rounds[0]!.count, 2);
  bench.rounds[0]!.answer((index) => (index === 0 ? HIT : MISS));
  await settled();
  assert.equal(bench.kinds(), ['placed', 'misplaced']);
});

test('two batches are under way at most, of 512 flows; the rest follows in order', async () => {
  const bench = open();
  const slots = bench.submit(...many(1500));
  bench.judge.flush();
  assert.equal(
    bench.rounds.map(({ count }) => count),
    [512, 512],
  );
  assert.equal([bench.judge.backlog, bench.judge.isIdle], [476, false]);
  bench.rounds[1]!.answer(() => MISS);
  await settled();
  assert.equal([bench.rounds.length, bench.rounds[2]!.count, bench.judge.backlog], [3, 476, 0]);
  bench.rounds[0]!.answer(() => MISS);
  bench.rounds[2]!.answer(() => MISS);
  await settled();
  const answeredAs = [...slots.slice(512, 1024), ...slots.slice(0, 512), ...slots.slice(1024)];
  assert.equal(
    bench.verdicts.map(([slot]) => slot),
    answeredAs,
  );
  assert.ok(bench.judge.isIdle);
  assert.is(bench.store.size, 0);
});

test('a batch ends where the questions of the next flow might not fit', () => {
  const three = plan(
    uplinks,
    ['a', 'b', 'c'].map((name) => rule([0], { name })),
  );
  const bench = open(three);
  bench.submit(...many(400));
  bench.judge.flush();
  assert.equal(
    bench.rounds.map(({ count }) => count),
    [1023, 400 * 3 - 1023],
  );
});

test('flows are judged by the standing at which they were asked about', async () => {
  const bench = open();
  bench.submit(on(1));
  bench.judge.flush();
  bench.stand([false, true]);
  bench.submit(on(1, '203.0.113.11'));
  bench.judge.flush();
  assert.is(bench.rounds.length, 1, 'where wan is offline no answer matters');
  bench.rounds[0]!.answer(() => HIT);
  await settled();
  assert.equal(bench.kinds(), ['placed', 'misplaced']);
});

test('a batch that cannot be asked is told of, its flows are unclassified, and the next goes out', async () => {
  const bench = open();
  bench.submit(...many(1100));
  bench.judge.flush();
  const broken = new Error('overrun');
  bench.rounds[0]!.fail(broken);
  await settled();
  assert.equal(bench.failures, [broken]);
  assert.equal([bench.kinds().length, new Set(bench.kinds())], [512, new Set(['unclassified'])]);
  assert.equal([bench.rounds.length, bench.rounds[2]!.count], [3, 76]);
});

test('what was answered before a batch broke off counts', async () => {
  const bench = open();
  bench.submit(on(1), on(1, '203.0.113.11'));
  bench.judge.flush();
  const { answer, fail } = bench.rounds[0]!;
  fail(new Error('overrun'));
  // both were answered, and the rejection was there first
  answer((index) => (index === 0 ? HIT : EPERM));
  await settled();
  assert.equal(bench.kinds(), ['misplaced', 'unclassified']);
});

test('drained() waits for the flows that wait for a batch, and no longer', async () => {
  const bench = open();
  await bench.judge.drained();
  bench.submit(...many(1100));
  let isDrained = false;
  void bench.judge.drained().then(() => (isDrained = true));
  await settled();
  assert.equal([bench.rounds.length, isDrained], [2, false]);
  bench.rounds[0]!.answer(() => MISS);
  await settled();
  assert.equal([bench.rounds.length, isDrained], [3, false]);
  bench.rounds[1]!.answer(() => MISS);
  await settled();
  assert.ok(isDrained);
});

test('stopped, it gives up what waits and ends with what is under way', async () => {
  const bench = open();
  const slots = bench.submit(...many(1100));
  bench.judge.flush();
  let isStopped = false;
  void bench.judge.stop().then(() => (isStopped = true));
  assert.equal(
    bench.verdicts,
    slots.slice(1024).map((slot) => [slot, 'unclassified']),
  );
  for (const { answer } of bench.rounds) answer(() => MISS);
  assert.is(isStopped, false);
  await settled();
  assert.ok(isStopped);
  assert.is(bench.store.size, 0);
});

test.run();
