import { markText } from '../../daemon/config/marks.ts';
import type { Plan, PlanRule } from '../../daemon/plan.ts';
import { makeStanding } from '../../daemon/standing.ts';
import { isPermissionError } from '../errors.ts';
import type { Check, Finding } from './finding.ts';
import type { PlanFacts, World } from './planFacts.ts';

type PlanCheck = Check<PlanFacts>;

const configuration: PlanCheck = ({ source, configuration: config }) => {
  const name = 'configuration';
  const why = 'it says which mark is which uplink, and which set belongs to which';
  switch (config.kind) {
    case 'none':
      return {
        name,
        status: 'warn',
        found: `none: it is looked for at ${source}`,
        why,
        mend: "write it, or name another with --config, or take mwan3's with --mwan3",
      };
    case 'invalid':
      return {
        name,
        status: 'fail',
        found: config.problems.join('; '),
        why: 'the daemon refuses to start with it',
        mend: 'correct the file, then: resteer check',
      };
    case 'valid': {
      const { interfaces, rules } = config.plan;
      const found = `${source}: ${count(interfaces.length, 'interface')}, ${count(rules.length, 'rule')}`;
      if (config.warnings.length === 0) return { name, status: 'ok', found, why };
      return {
        name,
        status: 'warn',
        found: `${found}; ${config.warnings.join('; ')}`,
        why: 'what is allowed and hardly meant keeps flows where they are',
        mend: 'correct the file, then: resteer check',
      };
    }
  }
};

/** A check of what the plan speaks of; nothing to judge without a plan. */
const ofWorld =
  (check: Check<World>): PlanCheck =>
  ({ world }) =>
    world && check(world);

const stateFiles = ofWorld(({ plan, online, missingStateFiles, stateWarnings }) => {
  const name = 'interface states';
  const why = 'no flow is moved to an interface that is offline, and one without its file counts as offline';
  const names = plan.interfaces
    .map((each, i) => `${each.name} ${online[i] ? 'online' : 'offline'}`)
    .join(', ');
  const faults = [...missingStateFiles.map((path) => `${path}: no such file`), ...stateWarnings];
  if (faults.length === 0 && online.some(Boolean)) return { name, status: 'ok', found: names, why };
  return {
    name,
    status: 'warn',
    found: [names, ...faults].join('; '),
    why,
    mend: 'start what writes the files (mwan3 status), or correct stateFile',
  };
});

const sets = ofWorld(({ plan, sets: answer, elementCounts }) => {
  const name = 'sets';
  const why = 'a flow is moved when its address is in the set of a rule';
  if ('error' in answer) return notAsked(name, answer.error, why);
  const faults: string[] = [];
  const mends: string[] = [];
  plan.rules.forEach((rule, r) => {
    if (rule.set === null || rule.exempt) return;
    const state = answer.value[r]!;
    const at = rule.source === undefined ? '' : `${rule.source}: `;
    if (state.kind === 'missing') {
      faults.push(`rule ${rule.name}: ${at}there is no set ${rule.set}`);
      mends.push(`ipset create ${rule.set} ${typeFor(rule)}`);
    } else if (state.kind === 'unfit') {
      faults.push(`rule ${rule.name}: ${at}${state.why}`);
      mends.push(`correct the match or the family of rule ${rule.name}, or make the set anew`);
    } else if (elementCounts.get(rule.set) === 0) {
      faults.push(`rule ${rule.name}: set ${rule.set} is empty`);
      mends.push(`see that the application's addresses are added: ipset list ${rule.set}`);
    }
  });
  const distinct = new Set(plan.rules.flatMap(({ set }) => set ?? [])).size;
  if (faults.length === 0) {
    const found = distinct === 1 ? '1 set is there and fits' : `${distinct} sets are there and fit`;
    return { name, status: 'ok', found, why };
  }
  return { name, status: 'warn', found: faults.join('; '), why, mend: [...new Set(mends)].join('; ') };
});

/** The type and options of a set that fits a rule. */
function typeFor({ match, family }: PlanRule): string {
  const dimensions = match.map((field) => (field === 'src' || field === 'dst' ? 'ip' : 'port'));
  const type = dimensions.join(',') === 'port' ? 'bitmap:port range 0-65535' : `hash:${dimensions.join(',')}`;
  return family === 'ipv6' ? `${type} family inet6` : type;
}

const rules = ofWorld(({ plan, online }) => {
  const name = 'rules';
  const why = 'a rule that can never decide leaves its flows where they are';
  const standing = makeStanding(plan, online);
  const faults = plan.rules.flatMap((rule, r) => {
    if (rule.exempt) return [];
    const before = plan.rules.slice(0, r).find((earlier) => !earlier.exempt && covers(earlier, rule));
    if (before) return [`rule ${rule.name}: rule ${before.name} before it takes all that it fits`];
    const targets = [...standing.expected(r, 'ipv4'), ...standing.expected(r, 'ipv6')];
    if (rule.members.length > 0 && targets.length === 0) {
      return [`rule ${rule.name}: ${noTarget(plan, rule, online)}`];
    }
    return [];
  });
  if (faults.length === 0) return { name, status: 'ok', found: 'each can decide', why };
  const mend =
    'resteer check shows each rule with its interfaces: take the rule away, or bring one of them up';
  return { name, status: 'warn', found: faults.join('; '), why, mend };
});

function noTarget({ interfaces }: Plan, rule: PlanRule, online: readonly boolean[]): string {
  const up = rule.members.some((member) => online[member.interface]);
  const names = rule.members.map((member) => interfaces[member.interface]!.name).join(', ');
  return up ? `none of ${names} that is online carries ${rule.family}` : `none of ${names} is online`;
}

/** Whether every flow that the later rule could decide is decided by the earlier one. */
function covers(earlier: PlanRule, later: PlanRule): boolean {
  const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const isWide = (a: readonly unknown[], b: readonly unknown[]) => a.length === 0 || isSame(a, b);
  return (
    (earlier.set === null || (earlier.set === later.set && isSame(earlier.match, later.match))) &&
    (earlier.family === undefined || earlier.family === later.family) &&
    (earlier.protocol === undefined || earlier.protocol === later.protocol) &&
    isWide(earlier.sourcePorts, later.sourcePorts) &&
    isWide(earlier.destinationPorts, later.destinationPorts) &&
    isWide(addresses(earlier.sources), addresses(later.sources)) &&
    isWide(addresses(earlier.destinations), addresses(later.destinations))
  );
}

function addresses(networks: PlanRule['sources']): string[] {
  return networks.map(({ address, prefix }) => `${address.join('.')}/${prefix}`);
}

/** So many are named; the rest is a number. */
const MOST_MARKS = 8;

const marks = ofWorld(({ plan, strangeMarks: answer }) => {
  const name = 'marks';
  const why = "a flow whose mark is no interface's is left alone: the mask or a mark may be wrong";
  if ('error' in answer) return notAsked(name, answer.error, why);
  const { counts, seen, isWhole } = answer.value;
  const looked = isWhole ? count(seen, 'flow') : `the first ${count(seen, 'flow')}`;
  if (counts.size === 0)
    return { name, status: 'ok', found: `none that is no interface's, in ${looked}`, why };
  const list = [...counts].sort((a, b) => b[1] - a[1]);
  const named = list.slice(0, MOST_MARKS).map(([mark, n]) => `${markText(mark)} on ${count(n, 'flow')}`);
  const rest = list.length > MOST_MARKS ? [`${list.length - MOST_MARKS} more marks`] : [];
  return {
    name,
    status: 'warn',
    found: `no interface has ${[...named, ...rest].join(', ')} (mask ${markText(plan.markMask)}, ${looked})`,
    why,
    mend: `compare with the firewall's marks: conntrack -L -m ${markText(list[0]![0])}/${markText(plan.markMask)}`,
  };
});

const OWNER_ONLY = 0o600;

const control: PlanCheck = ({ control: { path, mode, refusal } }) => {
  const name = 'control socket';
  const why =
    'status and control speak to the daemon through it; whoever can write to it can stop the resets';
  if (mode !== undefined && mode !== OWNER_ONLY) {
    const found = `${path} has mode 0${mode.toString(8)}, not 0600`;
    return { name, status: 'warn', found, why, mend: `chmod 600 ${path}` };
  }
  switch (refusal) {
    case undefined:
      return { name, status: 'ok', found: `a daemon answers on ${path}, mode 0600`, why };
    case 'ENOENT':
    case 'ECONNREFUSED':
      return { name, status: 'ok', found: `no daemon is running on ${path}`, why };
    case 'EACCES':
      return { name, status: 'warn', found: `${path}: not permitted to ask`, why, mend: 'run as root' };
    default: {
      const found = `${path}: what is there does not answer as a daemon (${refusal})`;
      return { name, status: 'warn', found, why, mend: `stop what holds it: fuser ${path}` };
    }
  }
};

function notAsked(name: string, error: unknown, why: string): Finding {
  if (isPermissionError(error)) {
    return { name, status: 'warn', found: 'not known: not permitted to ask', why, mend: 'run as root' };
  }
  const reason = error instanceof Error ? error.message : String(error);
  return { name, status: 'warn', found: `not known: ${reason}`, why };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** What can be said of the configuration, and of the machine in its light, in the order of reading. */
export const planChecks: readonly PlanCheck[] = [configuration, stateFiles, sets, rules, marks, control];
