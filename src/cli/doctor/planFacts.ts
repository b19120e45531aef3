import { ConfigError } from '../../daemon/config/configError.ts';
import { ControlError } from '../../daemon/controlServer.ts';
import { readInterfaceStates } from '../../daemon/interfaceState.ts';
import { markOfId, specialIds } from '../../daemon/mwan3/marks.ts';
import type { Plan } from '../../daemon/plan.ts';
import { planWarnings } from '../../daemon/planWarnings.ts';
import { RuleSets, type SetState } from '../../daemon/ruleSets.ts';
import type { StateFiles } from '../../daemon/stateFiles.ts';
import { IpsetClient } from '../../ipset/client.ts';
import type { Requester } from '../../nfnetlink/requester.ts';
import { type Answer, answerOf } from './facts.ts';
import { countMarks, type MarkCounts } from './kernel.ts';

/** What the doctor may touch beside the machine itself: the configuration, and what it names. */
export interface Site {
  /** Where the configuration is looked for, for people. */
  readonly source: string;
  /** Whether that is mwan3's, whose marks without an interface have meanings of their own. */
  readonly isMwan3: boolean;
  /** Undefined where there is none at the usual place. Rejects with ConfigError. */
  loadPlan(): Promise<{ readonly plan: Plan; readonly warnings: readonly string[] } | undefined>;
  readonly files: Pick<StateFiles, 'read'>;
  openRequester(): Promise<Requester>;
  readonly controlPath: string;
  /** The permission bits of the control socket; undefined where there is no such file. */
  controlMode(): number | undefined;
  /** Asks the running daemon for its status. Throws ControlError. */
  askStatus(): Promise<unknown>;
}

export type Configuration =
  | { readonly kind: 'none' }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] }
  | { readonly kind: 'valid'; readonly plan: Plan; readonly warnings: readonly string[] };

/** All that the checks of the configuration judge, read once. */
export interface PlanFacts {
  readonly source: string;
  readonly configuration: Configuration;
  readonly control: ControlFacts;
  /** Undefined without a plan. */
  readonly world: World | undefined;
}

export interface ControlFacts {
  readonly path: string;
  readonly mode: number | undefined;
  /** Undefined if a daemon answered, else the code of a ControlError. */
  readonly refusal: string | undefined;
}

/** What the plan speaks of, as it is now. */
export interface World {
  readonly plan: Plan;
  readonly online: readonly boolean[];
  readonly missingStateFiles: readonly string[];
  readonly stateWarnings: readonly string[];
  /** By index of the rule. */
  readonly sets: Answer<readonly SetState[]>;
  /** Of the usable sets, by name. */
  readonly elementCounts: ReadonlyMap<string, number>;
  /** Masked marks of the flows that no interface has. */
  readonly strangeMarks: Answer<MarkCounts>;
}

/** Reads everything once. What the kernel, the files or the daemon refuse is a fact too. */
export async function gatherPlanFacts(site: Site): Promise<PlanFacts> {
  const configuration = await readConfiguration(site);
  return {
    source: site.source,
    configuration,
    control: await askControl(site),
    world: configuration.kind === 'valid' ? await lookAround(site, configuration.plan) : undefined,
  };
}

async function readConfiguration(site: Site): Promise<Configuration> {
  try {
    const loaded = await site.loadPlan();
    if (!loaded) return { kind: 'none' };
    return { kind: 'valid', plan: loaded.plan, warnings: [...loaded.warnings, ...planWarnings(loaded.plan)] };
  } catch (error) {
    if (error instanceof ConfigError) {
      return { kind: 'invalid', problems: error.problems.map((problem) => `${error.file}: ${problem}`) };
    }
    throw error;
  }
}

async function askControl(site: Site): Promise<ControlFacts> {
  const refusal = await site.askStatus().then(
    () => undefined,
    (error) => (error instanceof ControlError ? error.code : 'EIO'),
  );
  return { path: site.controlPath, mode: site.controlMode(), refusal };
}

async function lookAround(site: Site, plan: Plan): Promise<World> {
  const { online, warnings } = readInterfaceStates(plan.interfaces, site.files);
  const missing = plan.interfaces.flatMap(({ stateFile }) =>
    stateFile !== undefined && isMissing(site, stateFile) ? [stateFile] : [],
  );
  return {
    plan,
    online,
    missingStateFiles: missing,
    stateWarnings: warnings,
    ...(await askKernel(site, plan)),
  };
}

function isMissing({ files }: Site, path: string): boolean {
  try {
    return files.read(path) === undefined;
  } catch {
    // it is there and cannot be read: a warning says so
    return false;
  }
}

async function askKernel(
  site: Site,
  plan: Plan,
): Promise<Pick<World, 'sets' | 'elementCounts' | 'strangeMarks'>> {
  const opened = await answerOf(() => site.openRequester());
  if ('error' in opened) return { sets: opened, elementCounts: new Map(), strangeMarks: opened };
  const requester = opened.value;
  try {
    const client = new IpsetClient(requester);
    const sets = await answerOf(() => setStates(plan, client));
    const elementCounts = 'error' in sets ? new Map() : await countElements(plan, sets.value, client);
    const known = new Set([0, ...plan.interfaces.map(({ mark }) => mark), ...specialMarks(site, plan)]);
    const strangeMarks = await answerOf(() => countMarks(requester, plan.markMask, known));
    return { sets, elementCounts, strangeMarks };
  } finally {
    await requester.close();
  }
}

/** Marks by which mwan3 says: no policy, blackhole, unreachable. */
function specialMarks({ isMwan3 }: Site, { markMask }: Plan): number[] {
  if (!isMwan3) return [];
  return Object.values(specialIds(markMask)).map((id) => markOfId(id, markMask) >>> 0);
}

async function setStates(plan: Plan, client: IpsetClient): Promise<readonly SetState[]> {
  const sets = new RuleSets(plan, client, () => {});
  await sets.refresh();
  return plan.rules.map((_, index) => sets.state(index));
}

async function countElements(
  plan: Plan,
  states: readonly SetState[],
  client: IpsetClient,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const usable = new Set(
    plan.rules.flatMap(({ set }, r) => (set && states[r]!.kind === 'usable' ? set : [])),
  );
  for (const set of usable) {
    // one that has gone since says nothing
    const header = await answerOf(() => client.header(set));
    if ('value' in header) counts.set(set, header.value.elementCount);
  }
  return counts;
}
