import { type Command, Option } from 'commander';
import { DEFAULT_CONFIG_FILE, loadPlan } from '../daemon/config/config.ts';
import type { Settings } from '../daemon/mwan3/settings.ts';
import type { Plan } from '../daemon/plan.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import { usageError } from './errors.ts';

/** Where the plan comes from: a file of ours, or mwan3's. */
export interface PlanSource {
  readonly config: string;
  readonly mwan3?: true;
  /** With `mwan3` only: the folder that takes the place of /. */
  readonly root?: string;
}

/** A plan, with what only mwan3 mode has. */
export interface LoadedPlan {
  readonly plan: Plan;
  /** What is ignored or doubtful in the files. */
  readonly warnings: readonly string[];
  readonly settings?: Settings;
}

/** Adds the options that say where the plan comes from. */
export function addSourceOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration', DEFAULT_CONFIG_FILE)
    .addOption(
      new Option(
        '--mwan3',
        'take the plan from mwan3, and what it does not say from /etc/config/resteer',
      ).conflicts('config'),
    )
    .option('--root <dir>', 'with --mwan3: read its files below this folder');
}

/**
 * The plan of a source.
 * @throws ConfigError with everything that is wrong.
 */
export async function loadSource({ config, mwan3, root }: PlanSource): Promise<LoadedPlan> {
  if (!mwan3) {
    if (root !== undefined) throw usageError('--root', 'is for mwan3 mode only', 'add --mwan3');
    return { plan: loadPlan(config), warnings: [] };
  }
  // only who has mwan3 pays for its code
  const { loadMwan3 } = await import('../daemon/mwan3/load.ts');
  return loadMwan3(root ?? '/', systemStateFiles);
}
