// A table of expectations that is not empty: the real conntrack and ours side by side, over one table.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IPPROTO, NF_CT_EXPECT } from '../../src/ctnetlink/constants.ts';
import { type ConntrackClient, openConntrack } from '../../src/ctnetlink/index.ts';
import { endAll, isAsleep, listeners, ours, real, start } from '../support/conntrackPrograms.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

if (!hasCommand('conntrack')) skipFile(import.meta.url, 'no `conntrack` command');

const { TCP, UDP } = IPPROTO;

/** Flows with helpers, which alone can have expectations: of both families, TCP and UDP. */
const masters = [
  { helper: 'ftp', addresses: ['10.0.0.1', '10.0.0.2'], protocol: TCP, ports: [1021, 21] },
  { helper: 'ftp', addresses: ['2001:db8::1', '2001:db8::2'], protocol: TCP, ports: [1021, 21] },
  { helper: 'tftp', addresses: ['10.0.0.1', '10.0.0.2'], protocol: UDP, ports: [1069, 69] },
  { helper: 'sip', addresses: ['10.0.0.3', '10.0.0.2'], protocol: UDP, ports: [5060, 5060] },
] as const;

const masterTuples = masters.map(({ addresses, protocol, ports }) => ({
  ...{ source: addresses[0], destination: addresses[1], protocol },
  ...{ sourcePort: ports[0], destinationPort: ports[1] },
}));

async function seed(conntrack: ConntrackClient): Promise<void> {
  await conntrack.flushTable();
  await conntrack.expectations.flushAll();
  for (const [index, { helper, protocol, addresses }] of masters.entries()) {
    const originalTuple = masterTuples[index]!;
    await conntrack.create({
      ...{ originalTuple, timeout: 3000, helper: { name: helper } },
      ...(protocol === TCP && { protocolInfo: { tcp: { state: 3 } } }),
    });
    const ones = addresses[0].includes(':') ? 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' : '255.255.255.255';
    const none = addresses[0].includes(':') ? '::' : '0.0.0.0';
    await conntrack.expectations.create({
      masterTuple: originalTuple,
      ...{ timeout: 300, helperName: helper, class: 0 },
      tuple: {
        ...originalTuple,
        source: addresses[1],
        destination: addresses[0],
        sourcePort: 0,
        destinationPort: 2000 + index,
      },
      mask: {
        source: helper === 'sip' ? none : ones,
        destination: ones,
        protocol,
        sourcePort: 0,
        destinationPort: 65535,
      },
      flags: [
        0,
        NF_CT_EXPECT.PERMANENT,
        NF_CT_EXPECT.INACTIVE,
        NF_CT_EXPECT.PERMANENT | NF_CT_EXPECT.USERSPACE,
      ][index]!,
    });
  }
}

/** What a program does, without what counts down. */
function outcome([program, ...args]: typeof ours, line: string) {
  const words = line.split(' ');
  const { status, stdout, stderr } = spawnSync(program, [...args, ...words], {
    encoding: 'utf8',
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  return { line, status, stdout: still(stdout), stderr };
}

function still(text: string): string {
  return text
    .replace(/^(\[[^\]]*\]\t|)( *\[\w+\] |)\d+ proto=/gm, '$2T proto=')
    .replace(/<timeout>\d+/g, '<timeout>T')
    .replace(/<when>.*?<\/when>/g, '<when/>');
}

const ask = '-p tcp -s 10.0.0.2 -d 10.0.0.1 --sport 0 --dport 2000 --reply-port-src 1 --reply-port-dst 2';
const make =
  '-t 100 -s 10.0.0.1 -d 10.0.0.2 --tuple-src 10.0.0.2 --tuple-dst 10.0.0.1 --mask-src 255.255.255.255 --mask-dst 255.255.255.255';

await insideNamespace(import.meta.url, async () => {
  const conntrack = await openConntrack();

  test('what only reads says the same', async () => {
    await seed(conntrack);
    for (const line of [
      '-L expect',
      '-L expect -f ipv6',
      '-L expect -o xml',
      '-L expect -o timestamp',
      '-L expect -o xml,timestamp',
      '-L expect -o extended,id',
      '-C expect',
      '-S expect',
      `-G expect ${ask}`,
      `-G expect ${ask} -o xml`,
      '-G expect -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1021 --dport 21 --reply-port-src 1 --reply-port-dst 2',
      '-G expect -p udp -s 10.0.0.2 -d 10.0.0.1 --sport 0 --dport 2002 --reply-port-src 1 --reply-port-dst 2',
      '-G expect -p tcp -s 2001:db8::2 -d 2001:db8::1 --sport 0 --dport 2001 --reply-port-src 1 --reply-port-dst 2',
      '-L',
      '-L -o xml',
    ]) {
      const theirs = outcome(real, line);
      const mine = outcome(ours, line);
      const noTime = (each: typeof mine) => ({
        ...each,
        stdout: each.stdout.replace(/^((?:tcp|udp) +\d+) \d+/gm, '$1 T'),
      });
      assert.equal(noTime(mine), noTime(theirs));
    }
  });

  test('what changes the table leaves the same behind', async () => {
    const table = () =>
      still(sh('conntrack', '-L', 'expect') + sh('conntrack', '-L', 'expect', '-f', 'ipv6'));
    for (const line of [
      `-D expect ${ask}`,
      `-D expect ${ask.replace('2000', '2999')}`,
      '-D expect -p udp -s 10.0.0.2 -d 10.0.0.1 --sport 0 --dport 2002 --reply-port-src 1 --reply-port-dst 2',
      '-D expect -p tcp -s 2001:db8::2 -d 2001:db8::1 --sport 0 --dport 2001 --reply-port-src 1 --reply-port-dst 2',
      '-F expect',
    ]) {
      await seed(conntrack);
      const theirs = { ...outcome(real, line), table: table() };
      await seed(conntrack);
      const mine = { ...outcome(ours, line), table: table() };
      assert.equal(mine, theirs);
    }
  });

  test('-I says the same, and the expectation has the protocol that was asked for', async () => {
    // the real program leaves the protocol of the tuple out, and what was in memory is taken for it
    for (const [line, made] of [
      [
        `-p tcp --sport 1021 --dport 21 --tuple-port-src 0 --tuple-port-dst 2500 --mask-port-src 0 --mask-port-dst 65535 ${make}`,
        /proto=6 src=10.0.0.2 dst=10.0.0.1 sport=0 dport=2500 .*master-src=10.0.0.1 .*helper=ftp/,
      ],
      [
        `-p udp --sport 1069 --dport 69 --tuple-port-src 7 --tuple-port-dst 2500 --mask-port-src 255 --mask-port-dst 65535 ${make}`,
        /proto=17 src=10.0.0.2 dst=10.0.0.1 sport=7 dport=2500 .*sport=255 dport=65535 .*helper=tftp/,
      ],
      [
        `-p tcp --sport 1 --dport 21 --tuple-port-src 0 --tuple-port-dst 2500 --mask-port-src 0 --mask-port-dst 65535 ${make}`,
        undefined,
      ],
    ] as const) {
      await seed(conntrack);
      const theirs = outcome(real, `-I expect ${line}`);
      await seed(conntrack);
      assert.equal(outcome(ours, `-I expect ${line}`), theirs);
      const table = sh('conntrack', '-L', 'expect');
      if (made) assert.match(table, made);
      else assert.not.match(table, /2500/);
    }
  });

  for (const options of [[], ['-o', 'xml'], ['-o', 'timestamp'], ['-o', 'xml,timestamp']]) {
    test(`-E expect ${options.join(' ')} prints the same`, async () => {
      await conntrack.flushTable();
      const pair = [
        start(real, '-E', 'expect', ...options),
        start(ours, '-E', 'expect', ...options),
      ] as const;
      await until('both listen', () => listeners() >= 2);
      await seed(conntrack);
      await conntrack.expectations.flushAll();
      const isDone = ({ written }: (typeof pair)[0]) =>
        (written.out.match(/DESTROY|"destroy"/g)?.length ?? 0) >= 4;
      await until('both have printed all', () => pair.every(isDone));
      await until('the real program waits for events', () => isAsleep(pair[0]));
      for (const { child } of pair) {
        child.kill('SIGTERM');
        await once(child, 'close');
      }
      const [theirs, mine] = pair.map(({ written }) => ({ out: still(written.out), err: written.err }));
      assert.equal(mine, theirs);
    });
  }

  test('-o json tells all of it', async () => {
    await seed(conntrack);
    const [first, ...others] = sh(...ours, '-L', 'expect', '-o', 'json')
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text));
    assert.is(others.length, 2);
    assert.is(first.family, 'ipv4');
    assert.is(typeof first.tuple.source, 'string');
    assert.is(typeof first.master.destinationPort, 'number');
    assert.is(typeof first.helper, 'string');
  });

  test('the end', () => conntrack.close());

  test.after.each(endAll);
  test.run();
});
