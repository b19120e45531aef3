import { ConfigError } from '../config/configError.ts';
import { duration } from '../config/durations.ts';
import { decodeSetName } from '../config/names.ts';
import { suggestion } from '../config/nearest.ts';
import { decodeNetwork } from '../config/networks.ts';
import { decodePortExemption } from '../config/ports.ts';
import { listText, type Reader, Refusal } from '../config/refusal.ts';
import { oneOf, wholeNumber } from '../config/shape.ts';
import { LOG_LEVELS, type LogLevel } from '../log.ts';
import type { Network, OnChange, PortExemption } from '../plan.ts';
import type { UciFile, UciOption, UciValue } from './uci.ts';

/** What mwan3 does not say: the options of /etc/config/resteer, with their defaults. */
export interface Settings {
  /** Whether the service starts; looked at by what starts it. */
  readonly enabled: boolean;
  readonly dryRun: boolean;
  readonly logLevel: LogLevel;
  /** How long mwan3 is given to follow a change of state, or to start, in milliseconds. */
  readonly settleMs: number;
  /** How long an interface must be back before flows are moved to it, in milliseconds. */
  readonly holdDownMs: number;
  /** From which age on established flows stay where they are when a better interface is back, in milliseconds. */
  readonly failbackAgeMs: number;
  readonly recheckMs: readonly number[];
  readonly sweepMs: number;
  readonly resetsPerSecond: number;
  readonly resetsPerClientPerSecond: number;
  readonly pendingFlows: number;
  readonly cooldownMs: number;
  readonly exemptDestinations: readonly Network[];
  readonly exemptSources: readonly Network[];
  readonly exemptPorts: readonly PortExemption[];
  readonly exemptSets: readonly string[];
  /** By the name of mwan3's rule. */
  readonly rules: ReadonlyMap<string, RuleSettings>;
}

/** What one rule's flows do when an interface goes or comes; absent for the defaults. */
export interface RuleSettings {
  readonly line: number;
  readonly failover?: OnChange;
  readonly failback?: OnChange;
  /** In place of the setting for all rules. */
  readonly failbackAgeMs?: number;
}

export const DEFAULT_SETTINGS: Settings = {
  enabled: true,
  dryRun: false,
  logLevel: 'info',
  settleMs: 2000,
  holdDownMs: 30_000,
  failbackAgeMs: 300_000,
  recheckMs: [500, 1000, 2000, 5000, 10_000, 30_000],
  sweepMs: 300_000,
  resetsPerSecond: 200,
  resetsPerClientPerSecond: 20,
  pendingFlows: 262_144,
  cooldownMs: 60_000,
  exemptDestinations: [],
  exemptSources: [],
  exemptPorts: [],
  exemptSets: [],
  rules: new Map(),
};

interface Entry {
  readonly key: keyof Settings | keyof RuleSettings;
  readonly read: Reader<unknown>;
  readonly isList?: true;
}

const bool: Reader<boolean> = (value) => oneOf('0', '1')(value) === '1';
const number =
  (least: number, most: number): Reader<number> =>
  (value) =>
    wholeNumber(least, most)(/^\d{1,15}$/.test(String(value)) ? Number(value) : value);
const perSecond: Reader<number> = (value) =>
  value === 'unlimited' ? Number.POSITIVE_INFINITY : number(1, 1_000_000)(value);

const failbackAge = duration('1s', '24h');

const entries: Readonly<Record<string, Entry>> = {
  enabled: { key: 'enabled', read: bool },
  dry_run: { key: 'dryRun', read: bool },
  log_level: { key: 'logLevel', read: oneOf(...LOG_LEVELS) },
  settle: { key: 'settleMs', read: duration('1ms', '1m') },
  hold_down: { key: 'holdDownMs', read: duration('1ms', '1h') },
  failback_age: { key: 'failbackAgeMs', read: failbackAge },
  recheck: { key: 'recheckMs', read: duration('1ms', '1h'), isList: true },
  sweep: { key: 'sweepMs', read: duration('1s', '24h') },
  resets_per_second: { key: 'resetsPerSecond', read: perSecond },
  resets_per_client_per_second: { key: 'resetsPerClientPerSecond', read: perSecond },
  pending_flows: { key: 'pendingFlows', read: number(1, 16_777_216) },
  cooldown: { key: 'cooldownMs', read: duration('1s', '1h') },
  exempt_destination: { key: 'exemptDestinations', read: decodeNetwork, isList: true },
  exempt_source: { key: 'exemptSources', read: decodeNetwork, isList: true },
  exempt_port: { key: 'exemptPorts', read: decodePortExemption, isList: true },
  exempt_set: { key: 'exemptSets', read: decodeSetName, isList: true },
};
const onChange = oneOf('preserve', 'reset');
const ruleEntries: Readonly<Record<string, Entry>> = {
  failover: { key: 'failover', read: onChange },
  failback: { key: 'failback', read: onChange },
  failback_age: { key: 'failbackAgeMs', read: failbackAge },
};

/**
 * Reads the sections of type `resteer`, and those of type `rule`, which are named after mwan3's rules.
 * @throws ConfigError with everything that is wrong with them.
 */
export function readSettings({ file, sections }: UciFile): Settings {
  const problems: string[] = [];
  const found: Record<string, unknown> = {};
  const rules = new Map<string, RuleSettings>();
  for (const { type, name, line, options } of sections) {
    if (type === 'resteer') readOptions(options, entries, found, problems);
    else if (type !== 'rule')
      problems.push(`line ${line}: ${JSON.stringify(type)} is no type: one of "resteer", "rule"`);
    else if (name === undefined) problems.push(`line ${line}: a rule without a name: name one of mwan3's`);
    else {
      const rule: Omit<RuleSettings, 'line'> = {};
      readOptions(options, ruleEntries, rule, problems);
      if (rule.failback !== undefined && rule.failbackAgeMs !== undefined) {
        const at = options.get('failback_age')!.values[0]!.line;
        problems.push(`line ${at}: failback_age: failback ${rule.failback} is for every age: leave one out`);
      }
      rules.set(name, { line, ...rule });
    }
  }
  const settings = { ...DEFAULT_SETTINGS, ...(found as Partial<Settings>), rules };
  const { recheckMs } = settings;
  if (recheckMs.some((delay, i) => i > 0 && delay <= recheckMs[i - 1]!)) {
    problems.push('recheck: each later than the one before it');
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  return settings;
}

function readOptions(
  options: ReadonlyMap<string, UciOption>,
  known: Readonly<Record<string, Entry>>,
  into: Record<string, unknown>,
  problems: string[],
): void {
  const names = Object.keys(known);
  for (const { name, values, isList } of options.values()) {
    const entry = names.includes(name) ? known[name]! : undefined;
    const { line } = values[0]!;
    if (!entry) {
      const meant = suggestion(name, names);
      problems.push(`line ${line}: unknown option ${name}: one of ${listText(names)}${meant}`);
    } else if (isList && !entry.isList) {
      problems.push(`line ${line}: ${name} is no list: write option ${name}`);
    } else {
      const read = values.flatMap((value) => readValue(name, value, entry.read, problems));
      into[entry.key] = entry.isList ? read : read[0];
    }
  }
}

/** The value alone, or nothing where it is refused. */
function readValue(
  name: string,
  { text, line }: UciValue,
  read: Reader<unknown>,
  problems: string[],
): unknown[] {
  try {
    return [read(text)];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problems.push(`line ${line}: ${name}: ${JSON.stringify(text)} ${error.message}`);
    return [];
  }
}
