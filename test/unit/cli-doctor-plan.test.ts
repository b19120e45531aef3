/** What the doctor says of a configuration, over facts that a test makes up. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findings } from '../../src/cli/doctor/checks.ts';
import { countMarks } from '../../src/cli/doctor/kernel.ts';
import { planChecks } from '../../src/cli/doctor/planChecks.ts';
import { gatherPlanFacts, type PlanFacts, type Site, type World } from '../../src/cli/doctor/planFacts.ts';
import { flowAttributes } from '../../src/ctnetlink/attributes.ts';
import { ConfigError } from '../../src/daemon/config/configError.ts';
import { ControlError } from '../../src/daemon/controlServer.ts';
import type { Plan } from '../../src/daemon/plan.ts';
import type { SetState } from '../../src/daemon/ruleSets.ts';
import { findSetType } from '../../src/ipset/setType.ts';
import { RequestConnection } from '../../src/nfnetlink/connection.ts';
import { KernelError, TransportError } from '../../src/nfnetlink/errors.ts';
import { encodeRequest } from '../../src/nfnetlink/message.ts';
import { dump } from '../../src/testing/replies.ts';
import { ScriptedTransport } from '../../src/testing/scriptedTransport.ts';
import { INET, network, plainRule, plan, rule, uplink } from '../support/plans.ts';

const wan = uplink('wan');
const wanb = uplink('wanb', { mark: 0x200, stateFile: '/state/wanb' });
const shape = { name: 'set', type: findSetType('hash:ip')!, revision: 0, family: INET };
const usable = { kind: 'usable', shape, probe: undefined as never } satisfies SetState;
const none = { counts: new Map<number, number>(), seen: 9, isWhole: true };

function facts(world: Partial<World> = {}, more: Partial<PlanFacts> = {}): PlanFacts {
  const ours = world.plan ?? plan([wan, wanb], [rule([0])]);
  return {
    source: '/etc/resteer.json',
    configuration: { kind: 'valid', plan: ours, warnings: [] },
    control: { path: '/run/resteer.sock', mode: 0o600, refusal: undefined },
    world: {
      plan: ours,
      online: ours.interfaces.map(() => true),
      missingStateFiles: [],
      stateWarnings: [],
      sets: { value: ours.rules.map(() => usable) },
      elementCounts: new Map([['set', 3]]),
      strangeMarks: { value: none },
      ...world,
    },
    ...more,
  };
}

function examine(world: Partial<World> = {}, more: Partial<PlanFacts> = {}) {
  const found = findings(planChecks, facts(world, more));
  return {
    found,
    of: (name: string) => found.find((finding) => finding.name === name)!,
    notWell: found.filter(({ status }) => status !== 'ok').map(({ name }) => name),
  };
}

test('a configuration with which all is well', () => {
  const { found, notWell, of } = examine();
  assert.equal(notWell, []);
  assert.is(found.length, planChecks.length);
  assert.is(of('configuration').found, '/etc/resteer.json: 2 interfaces, 1 rule');
  assert.is(of('interface states').found, 'wan online, wanb online');
  assert.is(of('marks').found, "none that is no interface's, in 9 flows");
});

test('no configuration, one with faults, one with oddities', () => {
  const missing = examine({}, { configuration: { kind: 'none' }, world: undefined });
  assert.equal(
    missing.found.map(({ name }) => name),
    ['configuration', 'control socket'],
  );
  assert.is(missing.of('configuration').status, 'warn');
  assert.match(missing.of('configuration').found, 'none: it is looked for at /etc/resteer.json');
  const problems = ['f: rules: is missing', 'f: markMask: is missing'];
  const invalid = examine({}, { configuration: { kind: 'invalid', problems }, world: undefined });
  assert.is(invalid.of('configuration').status, 'fail');
  assert.is(invalid.of('configuration').found, problems.join('; '));
  const odd = { kind: 'valid', plan: plan([wan], []), warnings: ['rule a: odd'] } as const;
  assert.match(examine({}, { configuration: odd }).of('configuration').found, 'rule a: odd');
});

test('state files that are missing or odd', () => {
  const { notWell, of } = examine({
    online: [true, false],
    missingStateFiles: ['/state/wanb'],
    stateWarnings: ['interface wan: /state/wan: says "x"'],
  });
  assert.equal(notWell, ['interface states']);
  assert.match(of('interface states').found, 'wanb offline; /state/wanb: no such file; interface wan: ');
});

test('sets that are missing, unfit, empty', () => {
  const sets = (state: SetState) => examine({ sets: { value: [state] } }).of('sets');
  const missing = sets({ kind: 'missing' });
  assert.is(missing.status, 'warn');
  assert.is(missing.found, 'rule rule: there is no set set');
  assert.is(missing.mend, 'ipset create set hash:ip');
  assert.is(sets({ kind: 'unfit', shape, why: 'it holds IPv6' }).found, 'rule rule: it holds IPv6');
  const empty = examine({ elementCounts: new Map([['set', 0]]) }).of('sets');
  assert.is(empty.found, 'rule rule: set set is empty');
  assert.match(empty.mend!, 'ipset list set');
  const ours = plan([wan], [rule([0], { family: 'ipv6', match: ['dst', 'dport'] })]);
  const six = examine({ plan: ours, sets: { value: [{ kind: 'missing' }] } }).of('sets');
  assert.is(six.mend, 'ipset create set hash:ip,port family inet6');
});

test('what could not be asked is not known', () => {
  const error = new KernelError({ errno: 1, code: 'EPERM', command: 'IPSET_CMD_HEADER', seq: 1 });
  const { notWell, of } = examine({ sets: { error }, strangeMarks: { error: new Error('gone') } });
  assert.equal(notWell, ['sets', 'marks']);
  assert.is(of('sets').mend, 'run as root');
  assert.is(of('marks').found, 'not known: gone');
});

test('rules that can never decide: nothing online, shadowed by an earlier one', () => {
  const of = (ours: Plan, online: readonly boolean[] = [true, true]) =>
    examine({ plan: ours, online }).of('rules').found;
  const both = [wan, wanb];
  assert.is(of(plan(both, [rule([1])]), [true, false]), 'rule rule: none of wanb is online');
  const six = plan([uplink('wan', { family: 'ipv4' })], [rule([0], { family: 'ipv6' })]);
  assert.is(of(six, [true]), 'rule rule: none of wan that is online carries ipv6');
  const second = (first: Parameters<typeof rule>[1], more: Parameters<typeof rule>[1] = {}) =>
    of(plan(both, [rule([0], { name: 'a', ...first }), rule([1], { name: 'b', ...more })]));
  const shadowed = 'rule b: rule a before it takes all that it fits';
  assert.is(second({}), shadowed);
  assert.is(second({}, { protocol: 6, family: 'ipv4' }), shadowed);
  const sources = [network('10.0.0.0/8')];
  assert.is(second({ sources }, { sources }), shadowed);
  const fine = 'each can decide';
  assert.is(second({ set: 'other' }), fine);
  assert.is(second({ protocol: 6 }), fine);
  assert.is(second({ sources }), fine);
  assert.is(second({ destinationPorts: [{ from: 1, to: 2 }] }), fine);
  assert.is(of(plan(both, [plainRule([0], { name: 'a' }), rule([1], { name: 'b' })])), shadowed);
});

test('marks of no interface, the most frequent first', () => {
  const counts = new Map(Array.from({ length: 10 }, (_, i) => [0x300 + i, i + 1] as const));
  const { status, found, mend } = examine({
    strangeMarks: { value: { counts, seen: 20_000, isWhole: false } },
  }).of('marks');
  assert.is(status, 'warn');
  assert.match(found, 'no interface has 0x309 on 10 flows, 0x308 on 9 flows');
  assert.match(found, '2 more marks (mask 0x3f00, the first 20000 flows)');
  assert.match(mend!, 'conntrack -L -m 0x309/0x3f00');
});

test('the control socket', () => {
  const control = (mode: number | undefined, refusal?: string) =>
    examine({}, { control: { path: '/s', mode, refusal } }).of('control socket');
  assert.match(control(0o600).found, 'a daemon answers');
  assert.is(control(undefined, 'ENOENT').status, 'ok');
  assert.is(control(0o600, 'ECONNREFUSED').found, 'no daemon is running on /s');
  assert.is(control(0o666).mend, 'chmod 600 /s');
  assert.is(control(0o600, 'EACCES').mend, 'run as root');
  assert.is(control(0o600, 'EPROTO').status, 'warn');
});

const GET = 0x0101;

test('marks are counted under the mask, up to a bound', async () => {
  const flow = (mark: number) => encodeRequest({ type: 0x0100, flags: 0 }, flowAttributes, { mark, id: 1 });
  const ask = (marks: readonly number[]) => {
    const kernel = new ScriptedTransport().program(({ type }) =>
      type === GET ? [dump(marks.map(flow))] : undefined,
    );
    return countMarks(new RequestConnection(kernel), 0xff00, new Set([0, 0x100]));
  };
  assert.equal(await ask([0x100, 0x1ff, 0x2ff, 0x200, 7]), {
    counts: new Map([[0x200, 2]]),
    seen: 5,
    isWhole: true,
  });
  const many = await ask(Array(20_001).fill(0x300));
  assert.equal(many, { counts: new Map([[0x300, 20_000]]), seen: 20_000, isWhole: false });
});

const site: Site = {
  source: '/c.json',
  isMwan3: false,
  loadPlan: async () => ({ plan: plan([wan, wanb], [rule([0]), rule([0])]), warnings: ['line 1: odd'] }),
  files: { read: () => undefined },
  openRequester: async () => {
    throw new TransportError('socket', 'EPROTONOSUPPORT');
  },
  controlPath: '/s',
  controlMode: () => undefined,
  askStatus: async () => {
    throw new ControlError('ENOENT', 'no');
  },
};

test('facts are gathered, and what fails is a fact', async () => {
  const { configuration, control, world } = await gatherPlanFacts(site);
  assert.is(configuration.kind, 'valid');
  assert.equal(
    configuration.kind === 'valid' && configuration.warnings.length,
    2,
    'those of the file and of the plan',
  );
  assert.is(control.refusal, 'ENOENT');
  assert.equal(world!.online, [true, false]);
  assert.equal(world!.missingStateFiles, ['/state/wanb']);
  assert.ok('error' in world!.sets && 'error' in world!.strangeMarks);
  const loadPlan = async () => {
    throw new ConfigError('/c.json', ['rules: is missing']);
  };
  const invalid = await gatherPlanFacts({ ...site, loadPlan });
  assert.equal(invalid.configuration, { kind: 'invalid', problems: ['/c.json: rules: is missing'] });
  assert.is(invalid.world, undefined);
  const missing = await gatherPlanFacts({ ...site, loadPlan: async () => undefined });
  assert.is(missing.configuration.kind, 'none');
});

test('an unforeseen fault of loading is not taken for a fault of the file', async () => {
  const loadPlan = async () => {
    throw new TypeError('x');
  };
  const error = await gatherPlanFacts({ ...site, loadPlan }).catch((reason) => reason);
  assert.instance(error, TypeError);
});

test.run();
