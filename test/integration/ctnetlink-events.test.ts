/** Events by ours and by conntrack(8) side by side, and expectations of the FTP helper. */
import { spawn } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ConntrackClient,
  type ExpectationEvent,
  type FlowEvent,
  type FlowView,
  IPPROTO,
  type NewExpectation,
  type NewFlow,
  openConntrack,
  openConntrackEvents,
  TCP_CONNTRACK,
} from '../../src/ctnetlink/index.ts';
import { KernelError } from '../../src/nfnetlink/index.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

await insideNamespace(import.meta.url, async () => {
  if (!hasCommand('conntrack'))
    skipFile(import.meta.url, 'no `conntrack` command (Debian package conntrack)');
  const client = await openConntrack();
  defineTests(client);
  test.after(() => client.close());
  test.run();
});

const udp = (port: number): NewFlow => ({
  originalTuple: {
    ...{ source: '192.0.2.1', destination: '198.51.100.1', protocol: IPPROTO.UDP },
    ...{ sourcePort: 5000, destinationPort: port },
  },
  timeout: 100,
});

function defineTests(client: ConntrackClient): void {
  test.before.each(() => client.flushTable());

  test('what conntrack -E prints is what the events say', async () => {
    const program = spawn('conntrack', ['-E', '-o', 'id'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let printed = '';
    program.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    const heard: FlowEvent[] = [];
    const viewed: string[] = [];
    const events = await openConntrackEvents({
      onFlow: (event) => heard.push(event),
      onView: (view) => viewed.push(`${view.kind} ${view.id} ${view.mark} ${view.original.destinationPort}`),
      onOverrun: (error) => assert.unreachable(error.message),
    });
    // the program says nothing when it is ready: flows are made until it has heard of one
    let port = 1;
    await until('conntrack -E listens', () => {
      sh(
        'conntrack',
        '-I',
        '-p',
        'udp',
        '-s',
        '192.0.2.9',
        '-d',
        '192.0.2.8',
        '-t',
        '9',
        '--sport',
        '9',
        '--dport',
        `${port++}`,
      );
      return printed.includes('[NEW]');
    });
    await client.flushTable();
    await client.create(udp(7));
    await client.update(udp(7), { mark: 0x1234 });
    const made = (await client.get(udp(7)))!;
    await client.delete(made);
    const lines = () => printed.split('\n').filter((line) => line.includes(`id=${made.id}`));
    await until('conntrack -E has printed three events', () => lines().length >= 3);
    const own = () => heard.filter(({ flow }) => flow.id === made.id);
    await until('three events', () => own().length >= 3);
    program.kill();

    assert.equal(
      own().map(({ kind }) => kind),
      ['new', 'update', 'destroy'],
    );
    assert.equal(
      lines().map((line) => /\[(\w+)\]/.exec(line)?.[1]?.toLowerCase()),
      own().map(({ kind }) => kind),
    );
    assert.match(lines()[1]!, /mark=4660/);
    assert.is(own()[1]!.flow.mark, 0x1234);
    assert.is(own()[0]!.portId, own()[2]!.portId, 'one socket made the requests');
    assert.ok(own()[0]!.portId > 0);
    assert.equal(
      viewed.filter((text) => text.includes(` ${made.id} `)),
      [`new ${made.id} 0 7`, `update ${made.id} 4660 7`, `destroy ${made.id} 4660 7`],
    );
    assert.is(events.stats.malformed, 0);
    assert.ok(events.stats.messages >= 3);
    await events.close();
  });

  test('only the kinds that are asked for arrive', async () => {
    const heard: string[] = [];
    const events = await openConntrackEvents({
      kinds: ['destroy'],
      onView: (view) => heard.push(view.kind),
      onOverrun: (error) => assert.unreachable(error.message),
    });
    await client.create(udp(1));
    await client.delete((await client.get(udp(1)))!);
    await until('the end is heard', () => heard.length > 0);
    assert.equal(heard, ['destroy']);
    await events.close();
  });

  test('a view of an event is that of the next when it comes', async () => {
    const views = new Set<FlowView>();
    const events = await openConntrackEvents({
      onView: (view) => views.add(view),
      onOverrun: (error) => assert.unreachable(error.message),
    });
    for (let port = 1; port <= 20; port++) await client.create(udp(port));
    await until('all are heard', () => events.stats.messages >= 20);
    assert.is(views.size, 1);
    await events.close();
  });

  const master: NewFlow = {
    originalTuple: {
      ...{ source: '192.0.2.1', destination: '198.51.100.1', protocol: IPPROTO.TCP },
      ...{ sourcePort: 36500, destinationPort: 21 },
    },
    timeout: 100,
    helper: { name: 'ftp' },
    protocolInfo: { tcp: { state: TCP_CONNTRACK.ESTABLISHED } },
  };
  const expectation: NewExpectation = {
    masterTuple: master.originalTuple,
    tuple: { ...master.originalTuple, sourcePort: 0, destinationPort: 7777 },
    mask: {
      ...{ source: '255.255.255.255', destination: '255.255.255.255', protocol: IPPROTO.TCP },
      ...{ sourcePort: 0, destinationPort: 65535 },
    },
    timeout: 60,
  };

  test('expectations: made, heard, listed, found, changed, deleted', async () => {
    const heard: ExpectationEvent[] = [];
    const events = await openConntrackEvents({
      onExpectation: (event) => heard.push(event),
      onOverrun: (error) => assert.unreachable(error.message),
    });
    try {
      await client.create(master);
    } catch (error) {
      // a kernel without the helper: nothing of this can be tried
      assert.is((error as KernelError).code, 'EOPNOTSUPP');
      console.log('SKIP: this kernel has no ftp helper');
      return;
    }
    assert.is((await client.get(master))?.helper?.name, 'ftp');
    await client.expectations.create(expectation);
    assert.match(sh('conntrack', '-L', 'expect'), /sport=0 dport=7777.*helper=ftp/);
    const found = (await client.expectations.get(expectation))!;
    assert.equal(
      [found.tuple?.destinationPort, found.masterTuple?.destinationPort, found.helperName],
      [7777, 21, 'ftp'],
    );
    await client.expectations.update({ ...expectation, timeout: 1000 });
    assert.ok((await client.expectations.get(expectation))!.timeout! > 900);
    const list = async () => {
      const ids: (number | undefined)[] = [];
      for await (const { id } of client.expectations.list()) ids.push(id);
      return ids;
    };
    assert.equal(await list(), [found.id]);
    const ofMaster: unknown[] = [];
    for await (const item of client.expectations.list(master.originalTuple)) ofMaster.push(item.id);
    assert.equal(ofMaster, [found.id]);
    assert.is(await client.expectations.delete({ ...expectation, id: (found.id! ^ 1) >>> 0 }), 'absent');
    assert.is(await client.expectations.delete({ ...expectation, id: found.id! }), 'deleted');
    assert.is(await client.expectations.delete(expectation), 'absent');
    assert.is(await client.expectations.get(expectation), undefined);
    await until('both events', () => heard.length >= 2);
    assert.equal(
      heard.map(({ kind, expectation: { id } }) => [kind, id]),
      [
        ['new', found.id],
        ['destroy', found.id],
      ],
    );
    await client.expectations.create(expectation);
    await client.expectations.flushAll('ftp');
    assert.equal(await list(), []);
    const statistics = await client.expectations.statistics();
    assert.is(statistics.length, (await client.statistics()).length);
    assert.ok(statistics.reduce((sum, cpu) => sum + (cpu.create ?? 0), 0) >= 2);
    await events.close();
  });

  test('an expectation of no flow, or of one without helper, is refused with what it means', async () => {
    const refusal = async () => {
      try {
        await client.expectations.create(expectation);
      } catch (error) {
        assert.instance(error, KernelError);
        return (error as Error).message;
      }
      throw new Error('the kernel did not refuse');
    };
    assert.match(await refusal(), /IPCTNL_MSG_EXP_NEW: ENOENT: the master flow is gone/);
    const { helper, ...withoutHelper } = master;
    await client.create(withoutHelper);
    assert.match(await refusal(), /EOPNOTSUPP: the master flow has no helper/);
  });
}
