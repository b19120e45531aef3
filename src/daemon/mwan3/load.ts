import { join } from 'node:path';
import { ConfigError } from '../config/configError.ts';
import { markText } from '../config/marks.ts';
import { suggestion } from '../config/nearest.ts';
import { MOST_RULES, type Plan, type PlanRule } from '../plan.ts';
import type { StateFiles } from '../stateFiles.ts';
import { exemptRules } from './exemptSets.ts';
import { readInterfaces } from './interfaces.ts';
import { DEFAULT_MASK, decodeMask, specialIds } from './marks.ts';
import { optionOf } from './options.ts';
import { type Mwan3Paths, mwan3Paths } from './paths.ts';
import { readPolicies } from './policies.ts';
import { readRules } from './rules.ts';
import { DEFAULT_SETTINGS, readSettings, type Settings } from './settings.ts';
import { decodeUci, type UciFile } from './uci.ts';
import { sectionText, type WarnOfLine, warnInto } from './warnings.ts';

/** What mwan3's configuration, and ours beside it, mean. */
export interface Mwan3Plan {
  readonly plan: Plan;
  readonly settings: Settings;
  /** What is ignored, and what is doubtful: one sentence each, with file and line. */
  readonly warnings: readonly string[];
}

const TYPES = ['globals', 'interface', 'member', 'policy', 'rule'];

/**
 * Derives the plan from mwan3's configuration and run-time files.
 * @param root the folder that takes the place of /
 * @throws ConfigError where a file cannot be read or is no UCI, or where /etc/config/resteer has errors.
 */
export function loadMwan3(root: string, files: Pick<StateFiles, 'read' | 'identify'>): Mwan3Plan {
  const paths = mwan3Paths(root);
  const warnings: string[] = [];
  const file = decodeUci(paths.config, read(paths.config, files) ?? missing(paths.config));
  const settings = loadSettings(paths, files);
  const warn = warnInto(warnings, paths.config);
  for (const section of file.sections) {
    if (TYPES.includes(section.type)) continue;
    warn(section.line, `${sectionText(section)}: ignored: mwan3 has no such type`);
  }
  const markMask = maskOf(paths, file, files, warnings);
  const interfaces = readInterfaces(file, markMask, (name) => join(paths.states, name), warn);
  const policies = readPolicies(file, interfaces, warn);
  const rules = withSettings(readRules(file, policies, warn), settings, warnInto(warnings, paths.settings));
  if (!rules.some(({ set }) => set !== null)) {
    warnings.push(`${paths.config}: no rule uses an ipset: nothing is looked up`);
  }
  if (files.identify(paths.run) === undefined) {
    warnings.push(`${paths.run}: missing: mwan3 is stopped, and nothing is reset until it runs`);
  }
  const all = [...exemptRules(settings.exemptSets), ...rules];
  if (all.length > MOST_RULES) {
    throw new ConfigError(paths.config, [`${rules.length} rules are too many: at most ${MOST_RULES} in all`]);
  }
  return {
    plan: {
      markMask,
      interfaces: interfaces.list,
      rules: all,
      exempt: {
        destinations: settings.exemptDestinations,
        sources: settings.exemptSources,
        ports: settings.exemptPorts,
      },
      recheckMs: settings.recheckMs,
      sweepMs: settings.sweepMs,
      limits: {
        resetsPerSecond: settings.resetsPerSecond,
        resetsPerClientPerSecond: settings.resetsPerClientPerSecond,
        pendingFlows: settings.pendingFlows,
        cooldownMs: settings.cooldownMs,
      },
      settle: { offlineMs: settings.settleMs, onlineMs: settings.holdDownMs, workFolder: paths.log },
      dryRun: settings.dryRun,
    },
    settings,
    warnings,
  };
}

/** The rules, each with what the settings say of its flows. */
function withSettings(rules: readonly PlanRule[], settings: Settings, warn: WarnOfLine): PlanRule[] {
  const names = rules.map(({ name }) => name);
  for (const [name, { line }] of settings.rules) {
    if (names.includes(name)) continue;
    warn(line, `rule ${JSON.stringify(name)}: ignored: mwan3 has no such rule${suggestion(name, names)}`);
  }
  return rules.map((rule) => {
    const { failover, failback, failbackAgeMs } = settings.rules.get(rule.name) ?? {};
    const byAge = { preserveFromMs: failbackAgeMs ?? settings.failbackAgeMs };
    return { ...rule, ...(failover && { failover }), failback: failback ?? byAge };
  });
}

function loadSettings(paths: Mwan3Paths, files: Pick<StateFiles, 'read'>): Settings {
  const text = read(paths.settings, files);
  return text === undefined ? DEFAULT_SETTINGS : readSettings(decodeUci(paths.settings, text));
}

/** The mask that mwan3 runs with, else the one that it will start with. */
function maskOf(
  paths: Mwan3Paths,
  { sections }: UciFile,
  files: Pick<StateFiles, 'read'>,
  warnings: string[],
): number {
  const running = read(paths.mask, files);
  if (running !== undefined) {
    const mask = decodeMask(running);
    if (mask !== undefined) return checkedMask(mask, paths.mask, '');
    warnings.push(`${paths.mask}: ${JSON.stringify(running.trim().slice(0, 40))} is no mask: passed over`);
  }
  const globals = sections.find(({ type, name }) => type === 'globals' && name === 'globals');
  const value = globals && optionOf(globals, 'mmx_mask');
  if (!value) return DEFAULT_MASK;
  const at = `line ${value.line}: `;
  const mask = decodeMask(value.text);
  if (mask !== undefined) return checkedMask(mask, paths.config, at);
  throw new ConfigError(paths.config, [
    `${at}mmx_mask ${JSON.stringify(value.text)} is no mask: hexadecimal such as 0x3F00`,
  ]);
}

/** Three ids are mwan3's own, one is that of unmarked flows. */
function checkedMask(mask: number, file: string, at: string): number {
  if (specialIds(mask).blackhole > 1) return mask;
  throw new ConfigError(file, [`${at}mask ${markText(mask)} has room for no interface: at least three bits`]);
}

function missing(path: string): never {
  throw new ConfigError(path, [
    'no such file: install mwan3, or name the folder that holds its files with --root',
  ]);
}

function read(path: string, files: Pick<StateFiles, 'read'>): string | undefined {
  try {
    return files.read(path);
  } catch (error) {
    throw new ConfigError(path, [`cannot be read: ${(error as Error).message}`]);
  }
}
