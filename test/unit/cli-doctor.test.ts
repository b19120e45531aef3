import { constants } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findings, machineChecks } from '../../src/cli/doctor/checks.ts';
import { type Facts, gatherFacts, type Machine } from '../../src/cli/doctor/facts.ts';
import { planChecks } from '../../src/cli/doctor/planChecks.ts';
import type { Site } from '../../src/cli/doctor/planFacts.ts';
import { doctor } from '../../src/cli/doctor.ts';
import { flowAttributes } from '../../src/ctnetlink/attributes.ts';
import { IPS } from '../../src/ctnetlink/constants.ts';
import { tableStatisticsAttributes } from '../../src/ctnetlink/statisticsAttributes.ts';
import { protocolReply } from '../../src/ipset/attributes.ts';
import type { Codec } from '../../src/nfnetlink/codec.ts';
import { RequestConnection } from '../../src/nfnetlink/connection.ts';
import { TransportError } from '../../src/nfnetlink/errors.ts';
import { encodeRequest } from '../../src/nfnetlink/message.ts';
import { ack, data, dump, type Reply } from '../../src/testing/replies.ts';
import { ScriptedTransport } from '../../src/testing/scriptedTransport.ts';
import { captureIo } from '../support/captureIo.ts';
import { plan, uplink } from '../support/plans.ts';

const GET = 0x0101;
const GET_STATS = 0x0105;
const IPSET_PROTOCOL = 0x0601;

type Answers = Readonly<Record<number, readonly Reply[]>>;

const encoded = <T>(codec: Codec<T>, value: T) => encodeRequest({ type: 0x0100, flags: 0 }, codec, value);
const said = <T>(codec: Codec<T>, value: T) => [data(encoded(codec, value)), ack()];

const well: Answers = {
  [GET]: [dump([])],
  [GET_STATS]: said(tableStatisticsAttributes, { entries: 7, maxEntries: 1000 }),
  [IPSET_PROTOCOL]: said(protocolReply, { protocol: 7, protocolMin: 6 }),
};

interface Changes {
  readonly answers?: Answers;
  readonly files?: Readonly<Record<string, string | undefined>>;
  readonly machine?: Partial<Machine>;
}

const files: Readonly<Record<string, string>> = {
  '/proc/self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
  '/proc/self/uid_map': '         0          0 4294967295\n',
  '/proc/meminfo': 'MemTotal: 1000000 kB\nMemAvailable:     500000 kB\n',
  '/proc/sys/net/netfilter/nf_conntrack_events': '2\n',
  '/proc/sys/net/netfilter/nf_conntrack_tcp_loose': '1\n',
  '/proc/sys/net/netfilter/nf_conntrack_acct': '1\n',
  '/proc/sys/net/netfilter/nf_conntrack_timestamp': '1\n',
  '/proc/sys/net/core/rmem_max': '8388608\n',
};

/** A machine on which all is well, but for the changes. */
function machine({ answers, files: changed, machine: parts }: Changes = {}) {
  const kernel = new ScriptedTransport().program(({ type }) => ({ ...well, ...answers })[type]);
  const whole: Machine = {
    platform: 'linux',
    nodeVersion: '20.20.2',
    readText: (path) => ({ ...files, ...changed })[path],
    describeTransport: () => ({ kind: 'handle', why: 'it is there', available: [] }),
    openRequester: async () => new RequestConnection(kernel),
    ...parts,
  };
  return { whole, kernel };
}

async function examine(changes: Changes = {}) {
  const { whole, kernel } = machine(changes);
  const found = findings(machineChecks, await gatherFacts(whole));
  const of = (name: string) => found.find((finding) => finding.name === name);
  return {
    found,
    of,
    kernel,
    notWell: found.filter(({ status }) => status !== 'ok').map(({ name }) => name),
  };
}

const einval = [ack(constants.errno.EINVAL)];
const eperm = [ack(constants.errno.EPERM)];

test('a machine on which all is well', async () => {
  const { found, notWell, kernel } = await examine();
  assert.equal(notWell, []);
  assert.is(found.length, machineChecks.length);
  assert.is(new Set(found.map(({ name }) => name)).size, found.length);
  assert.is(kernel.isClosed, true);
  for (const { why, found: what } of found) assert.ok(why.length > 10 && what.length > 0);
});

test('no privileges: one failure, and the rest of the report is as good as it can be', async () => {
  const { of, notWell } = await examine({
    files: { '/proc/self/status': 'CapEff:\t0000000000000000\n' },
    answers: {
      [GET]: eperm,
      [GET_STATS]: eperm,
      [IPSET_PROTOCOL]: eperm,
    },
  });
  assert.equal(notWell, ['privileges', 'ctnetlink', 'ip_set']);
  assert.is(of('privileges')!.status, 'fail');
  assert.match(of('privileges')!.found, 'CAP_NET_ADMIN is missing');
  assert.match(of('ctnetlink')!.found, 'not permitted');
  assert.is(of('nf_conntrack_tcp_loose')!.status, 'ok');
});

test('every capability but the one that matters', async () => {
  const { of } = await examine({ files: { '/proc/self/status': 'CapEff:\t000001ffffffefff\n' } });
  assert.is(of('privileges')!.status, 'fail');
});

test('a user namespace is named; one that does not own this network namespace fails', async () => {
  const inside = { '/proc/self/uid_map': '         0       1000          1\n' };
  const owned = await examine({ files: inside });
  assert.is(owned.of('privileges')!.status, 'ok');
  assert.match(owned.of('privileges')!.found, 'user namespace');
  const foreign = await examine({
    files: inside,
    answers: { [GET_STATS]: eperm },
  });
  assert.is(foreign.of('privileges')!.status, 'fail');
  assert.match(foreign.of('privileges')!.found, 'refuses it in this network namespace');
});

test('a kernel without ctnetlink, without ip_set, without either', async () => {
  const noTable = { [GET_STATS]: einval };
  const noSets = { [IPSET_PROTOCOL]: einval };
  assert.equal((await examine({ answers: noTable })).notWell, ['ctnetlink']);
  assert.equal((await examine({ answers: noSets })).notWell, ['ip_set']);
  const { notWell, of } = await examine({ answers: { ...noTable, ...noSets } });
  assert.equal(notWell, ['ctnetlink', 'ip_set']);
  assert.match(of('ctnetlink')!.mend!, 'modprobe nf_conntrack_netlink');
  assert.match(of('ip_set')!.mend!, 'modprobe ip_set');
});

test('a kernel without nfnetlink has no socket to ask on', async () => {
  const openRequester = async () => {
    throw new TransportError('socket', 'EPROTONOSUPPORT');
  };
  const { notWell } = await examine({ machine: { openRequester } });
  assert.equal(notWell, ['ctnetlink', 'ip_set']);
});

test('an answer that makes no sense is a failure with its reason', async () => {
  const { of } = await examine({ answers: { [GET_STATS]: [ack()], [IPSET_PROTOCOL]: [ack()] } });
  assert.match(of('ctnetlink')!.found, 'no answer: the kernel did not say how many flows');
  assert.is(of('ip_set')!.status, 'fail');
});

test('an ipset protocol that is not spoken', async () => {
  const versions = { protocol: 9, protocolMin: 8 };
  const { of } = await examine({ answers: { [IPSET_PROTOCOL]: said(protocolReply, versions) } });
  assert.is(of('ip_set')!.status, 'fail');
  const old = { [IPSET_PROTOCOL]: said(protocolReply, { protocol: 6 }) };
  assert.is((await examine({ answers: old })).of('ip_set')!.found, 'protocol 6');
});

test('Node versions', async () => {
  const statusOf = async (nodeVersion: string) =>
    (await examine({ machine: { nodeVersion } })).of('Node.js')!.status;
  assert.is(await statusOf('18.19.1'), 'fail');
  assert.is(await statusOf('16.20.2'), 'fail');
  assert.is(await statusOf('18.20.0'), 'ok');
  assert.is(await statusOf('20.0.0'), 'ok');
  assert.is(await statusOf('26.10.0'), 'ok');
});

test('another operating system, and no transport', async () => {
  const { of } = await examine({
    machine: {
      platform: 'darwin',
      describeTransport: () => ({ kind: undefined, why: 'none', available: [] }),
    },
  });
  assert.is(of('operating system')!.status, 'fail');
  assert.is(of('transport')!.status, 'fail');
  const wrong = await examine({
    machine: {
      describeTransport: () => {
        throw new TransportError('RESTEER_TRANSPORT', 'EINVAL', '"x" is not a transport');
      },
    },
  });
  assert.match(wrong.of('transport')!.found, '"x" is not a transport');
});

const sysctl = (name: string, value: string | undefined) =>
  examine({ files: { [`/proc/sys/net/netfilter/nf_conntrack_${name}`]: value } });

test('sysctls: what a reset will do here, events, times, counts', async () => {
  const strict = (await sysctl('tcp_loose', '0')).of('nf_conntrack_tcp_loose')!;
  assert.is(strict.status, 'warn');
  assert.match(strict.found, 'black hole');
  assert.match(strict.mend!, 'sysctl -w net.netfilter.nf_conntrack_tcp_loose=1');
  assert.match((await sysctl('tcp_loose', '1')).of('nf_conntrack_tcp_loose')!.found, 'RST');
  assert.is((await sysctl('events', '0')).of('nf_conntrack_events')!.status, 'warn');
  assert.is((await sysctl('events', '1')).of('nf_conntrack_events')!.status, 'ok');
  assert.is((await sysctl('events', undefined)).of('nf_conntrack_events')!.status, 'warn');
  assert.is((await sysctl('timestamp', '0')).of('nf_conntrack_timestamp')!.status, 'warn');
  assert.is((await sysctl('acct', '0')).of('nf_conntrack_acct')!.status, 'ok');
  for (const name of ['tcp_loose', 'timestamp', 'acct']) {
    assert.is((await sysctl(name, undefined)).of(`nf_conntrack_${name}`), undefined);
  }
});

test('a table that is empty, nearly full, full, without limit', async () => {
  const table = async (entries: number, maxEntries?: number) => {
    const answers = { [GET_STATS]: said(tableStatisticsAttributes, { entries, maxEntries }) };
    return (await examine({ answers })).of;
  };
  assert.is((await table(0, 1000))('tracked flows')!.status, 'warn');
  assert.is((await table(799, 1000))('table size')!.status, 'ok');
  assert.is((await table(800, 1000))('table size')!.status, 'warn');
  assert.is((await table(1000, 1000))('table size')!.status, 'fail');
  assert.match((await table(1000, 1000))('table size')!.mend!, 'nf_conntrack_max=2000');
  assert.is((await table(5))('table size'), undefined);
  assert.is((await table(5, 0))('table size'), undefined);
});

test('the receive buffer in events, unless the transport may go beyond it', async () => {
  const small = { '/proc/sys/net/core/rmem_max': '212992' };
  const { of } = await examine({ files: small });
  assert.is(of('net.core.rmem_max')!.status, 'warn');
  assert.match(of('net.core.rmem_max')!.found, '2 x 212992 bytes / 1280 an event = 332 events');
  const describeTransport: Machine['describeTransport'] = () => ({ kind: 'ffi', why: '', available: [] });
  const ffi = await examine({ files: small, machine: { describeTransport } });
  assert.is(ffi.of('net.core.rmem_max')!.status, 'ok');
});

test('flow offload is seen, also where the kernel does not filter', async () => {
  const tuple = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6 };
  const flow = (status: number) => encoded(flowAttributes, { originalTuple: tuple, status });
  const plain = flow(IPS.CONFIRMED);
  const offloaded = flow(IPS.OFFLOAD | IPS.CONFIRMED);
  assert.is(
    (await examine({ answers: { [GET]: [dump([plain, offloaded])] } })).of('flow offload')!.found,
    'in use',
  );
  assert.is(
    (await examine({ answers: { [GET]: [dump([plain])] } })).of('flow offload')!.found,
    'no flow is offloaded',
  );
  const many = await examine({ answers: { [GET]: [dump(Array(20_001).fill(plain))] } });
  assert.is(many.of('flow offload')!.found, 'none among the flows looked at');
});

test('little memory', async () => {
  assert.is(
    (await examine({ files: { '/proc/meminfo': 'MemAvailable: 50000 kB' } })).of('memory')!.status,
    'warn',
  );
});

/** A configuration with nothing to complain of, and a daemon that runs with it. */
const site: Site = {
  source: '/etc/resteer.json',
  isMwan3: false,
  loadPlan: async () => ({ plan: plan([uplink('wan')], []), warnings: [] }),
  files: { read: () => undefined },
  openRequester: () => machine().whole.openRequester(),
  controlPath: '/run/resteer.sock',
  controlMode: () => 0o600,
  askStatus: async () => ({}),
};

async function report(changes: Changes, options: { json?: true; strict?: true } = {}, isTTY = false) {
  const io = captureIo({ isTTY });
  const exitCode = await doctor(machine(changes).whole, site, options, io);
  return { exitCode, ...io.written };
}

const loose = { files: { '/proc/sys/net/netfilter/nf_conntrack_tcp_loose': '0' } };
const old = { machine: { nodeVersion: '16.0.0' } };

test('exit codes: 0 well, 1 warnings with --strict, 2 failures', async () => {
  assert.is((await report({})).exitCode, 0);
  assert.is((await report({}, { strict: true })).exitCode, 0);
  assert.is((await report(loose)).exitCode, 0);
  assert.is((await report(loose, { strict: true })).exitCode, 1);
  assert.is((await report(old)).exitCode, 2);
  assert.is((await report({ ...loose, ...old }, { strict: true })).exitCode, 2);
});

test('the report is aligned, and says why and what to do where all is not well', async () => {
  const { out } = await report(loose);
  const columns = [...out.matchAll(/^(?:ok {2}|warn|fail) {2}(.+?) {2,}\S/gm)].map(
    (match) => match[0].length,
  );
  assert.is(new Set(columns).size, 1);
  assert.is(columns.length, machineChecks.length + planChecks.length);
  assert.match(out, /^warn {2}nf_conntrack_tcp_loose {2}0: .*\n +why: .*\n +mend: sysctl/m);
  assert.match(out, /\n1 warning: resteer can work here\.\n$/);
  assert.match((await report({})).out, /\nAll is well\.\n$/);
  assert.match((await report({ ...loose, ...old })).out, '1 failure, 1 warning: resteer cannot work here.');
  assert.not.match(out, '\x1b');
});

test('colour on a terminal', async () => {
  const { out } = await report(old, {}, true);
  assert.match(out, '\x1b[31mfail\x1b[0m');
  assert.match(out, '\x1b[32mok  \x1b[0m');
});

test('JSON holds all of it', async () => {
  const { out, exitCode } = await report(loose, { json: true }, true);
  assert.is(exitCode, 0);
  const { status, checks } = JSON.parse(out);
  assert.is(status, 'warn');
  assert.is(checks.length, machineChecks.length + planChecks.length);
  for (const check of checks) assert.ok(check.name && check.status && check.found && check.why);
  assert.ok(checks.find((check: { name: string }) => check.name === 'nf_conntrack_tcp_loose').mend);
});

test('facts that cannot be read are absent, and no check fails on them', async () => {
  const { whole } = machine({ machine: { readText: () => undefined } });
  const facts: Facts = await gatherFacts(whole);
  assert.is(facts.isNetAdmin, undefined);
  const found = findings(machineChecks, facts);
  assert.is(found.find(({ name }) => name === 'privileges')!.status, 'warn');
});

test.run();
