import { hasPortNumbers } from '../../ctnetlink/protocol.ts';
import { type Member, MOST_RULES, type Plan, type PlanRule } from '../plan.ts';
import type { Path } from './configError.ts';
import { markText } from './marks.ts';
import { suggestion } from './nearest.ts';
import { listText, valueText } from './refusal.ts';
import type { Config } from './schema.ts';
import { isObject } from './shape.ts';

type ConfigRule = Config['rules'][number];

/** Dimensions of the largest set types. */
const MOST_DIMENSIONS = 3;

/** A configuration whose values are each well, beside each other. */
export interface References {
  /** Whether the value at the path, and those around it, were understood. */
  isSound(path: Path): boolean;
  /** The value at the path as the file has it. */
  written(path: Path): unknown;
  problem(path: Path, sentence: string): void;
}

/** Looks at how the values fit each other. Parts that were not understood are passed over. */
export function checkReferences(config: Partial<Config>, on: References): void {
  if (on.isSound(['interfaces'])) checkInterfaces(config, on);
  if (on.isSound(['rules'])) {
    config.rules?.forEach((rule, r) => {
      if (on.isSound(['rules', r])) checkRule(rule, ['rules', r], on);
    });
    const count = config.rules?.length ?? 1;
    if (count === 0) on.problem(['rules'], 'is empty: at least one rule');
    if (count > MOST_RULES) on.problem(['rules'], `has ${count} rules: at most ${MOST_RULES}`);
  }
  if (on.isSound(['recheck'])) checkRecheck(config.recheck ?? [], on);
}

function checkInterfaces({ interfaces = {}, markMask }: Partial<Config>, on: References): void {
  // valibot passes over names that objects have by themselves
  const names = Object.keys(on.written(['interfaces']) as object);
  if (names.length === 0) on.problem(['interfaces'], 'is empty: at least one interface with its mark');
  const owners = new Map<number, string>();
  for (const name of names) {
    if (!Object.hasOwn(interfaces, name)) {
      if (on.isSound(['interfaces', name])) on.problem(['interfaces', name], 'is no name for an interface');
      continue;
    }
    const path: Path = ['interfaces', name, 'mark'];
    if (!on.isSound(path)) continue;
    const { mark } = interfaces[name]!;
    const text = valueText(on.written(path));
    const owner = owners.get(mark);
    if (owner !== undefined) {
      on.problem(path, `${text} is already the mark of ${JSON.stringify(owner)}: each interface has its own`);
    }
    owners.set(mark, owner ?? name);
    if (markMask !== undefined && on.isSound(['markMask']) && (mark & ~markMask) !== 0) {
      on.problem(path, `${text} has bits outside of markMask ${markText(markMask)}: only bits within it`);
    }
  }
}

function checkRule(rule: ConfigRule, path: Path, on: References): void {
  if (on.isSound([...path, 'interfaces'])) checkMembers(rule, [...path, 'interfaces'], on);
  const matchPath = [...path, 'match'];
  if (on.isSound(matchPath) && (rule.match.length === 0 || rule.match.length > MOST_DIMENSIONS)) {
    on.problem(
      matchPath,
      `has ${rule.match.length} fields: 1 to ${MOST_DIMENSIONS}, one a dimension of the set`,
    );
  }
  if (!on.isSound([...path, 'protocol']) || rule.protocol === undefined || hasPortNumbers(rule.protocol))
    return;
  for (const key of ['sourcePorts', 'destinationPorts'] as const) {
    if (on.isSound([...path, key]) && rule[key].length > 0) {
      const protocol = valueText(on.written([...path, 'protocol']));
      on.problem(
        [...path, key],
        `protocol ${protocol} has no ports: take them away, or name another protocol`,
      );
    }
  }
}

function checkMembers(rule: ConfigRule, path: Path, on: References): void {
  if (rule.interfaces.length === 0) on.problem(path, 'is empty: at least one interface');
  // names of interfaces that have faults of their own are names all the same
  const written = on.written(['interfaces']);
  const names = isObject(written) ? Object.keys(written) : [];
  const seen = new Set<string>();
  rule.interfaces.forEach((member, m) => {
    const at = [...path, m];
    if (!on.isSound(at) || !on.isSound([...at, 'name'])) return;
    const namePath = isObject(on.written(at)) ? [...at, 'name'] : at;
    const text = JSON.stringify(member.name);
    if (!names.includes(member.name)) {
      if (on.isSound(['interfaces'])) {
        const allowed = names.length > 0 ? `: one of ${listText(names)}` : '';
        on.problem(namePath, `${text} is not an interface${allowed}${suggestion(member.name, names)}`);
      }
    } else if (seen.has(member.name)) on.problem(namePath, `${text} stands here a second time`);
    seen.add(member.name);
  });
}

function checkRecheck(delays: readonly number[], on: References): void {
  delays.forEach((delay, i) => {
    const sound = on.isSound(['recheck', i]) && on.isSound(['recheck', i - 1]);
    if (i > 0 && sound && delay <= delays[i - 1]!) {
      on.problem(
        ['recheck', i],
        `${valueText(on.written(['recheck', i]) ?? delay)} is not later than the one before it: in rising order`,
      );
    }
  });
}

/** The plan of a configuration in which everything fits. */
export function compile(config: Config): Plan {
  const names = Object.keys(config.interfaces);
  return {
    markMask: config.markMask,
    interfaces: names.map((name) => {
      const { mark, family, stateFile } = config.interfaces[name]!;
      return { name, id: null, mark, ...(family && { family }), ...(stateFile && { stateFile }) };
    }),
    rules: config.rules.map((rule) => compileRule(rule, names)),
    exempt: config.exempt,
    recheckMs: config.recheck,
    sweepMs: config.sweep,
    limits: {
      resetsPerSecond: config.limits.resetsPerSecond,
      resetsPerClientPerSecond: config.limits.resetsPerClientPerSecond,
      pendingFlows: config.limits.pendingFlows,
      cooldownMs: config.limits.cooldown,
    },
    dryRun: config.dryRun,
  };
}

function compileRule(rule: ConfigRule, names: readonly string[]): PlanRule {
  return {
    name: rule.name ?? rule.set,
    set: rule.set,
    match: rule.match,
    ...(rule.family && { family: rule.family }),
    ...(rule.protocol !== undefined && { protocol: rule.protocol }),
    sourcePorts: rule.sourcePorts,
    destinationPorts: rule.destinationPorts,
    sources: rule.sources,
    destinations: [],
    members: rule.interfaces.map(({ name, metric }): Member => ({ interface: names.indexOf(name), metric })),
    policy: null,
    sticky: null,
    ...(rule.watch !== undefined && { watch: rule.watch }),
  };
}
