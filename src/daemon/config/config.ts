import * as v from 'valibot';
import type { Plan } from '../plan.ts';
import { checkReferences, compile } from './compile.ts';
import { ConfigError, type Path, pathText } from './configError.ts';
import { type Config, schema } from './schema.ts';
import { isObject } from './shape.ts';
import { readJsonFile } from './text.ts';

/** Where the configuration is looked for when nothing else is said. */
export const DEFAULT_CONFIG_FILE = '/etc/resteer.json';

/**
 * Reads and checks a configuration file.
 * @throws ConfigError with everything that is wrong with it.
 */
export function loadPlan(file: string): Plan {
  return decodeConfig(file, readJsonFile(file));
}

/**
 * The plan of a configuration's JSON value; `file` is its name for errors.
 * @throws ConfigError with everything that is wrong with it.
 */
export function decodeConfig(file: string, written: unknown): Plan {
  const problems: { readonly path: Path; readonly sentence: string }[] = [];
  const result = v.safeParse(schema, written);
  for (const issue of result.issues ?? []) problems.push({ path: pathOf(issue), sentence: issue.message });

  const unsound = problems.map(({ path }) => path);
  const within = (path: Path, outer: Path) => outer.every((step, i) => path[i] === step);
  // a value that is not of its kind at all leaves valibot's output as it was written
  checkReferences((isObject(result.output) ? result.output : {}) as Partial<Config>, {
    isSound: (path) => isObject(written) && !unsound.some((fault) => within(path, fault)),
    written: (path) => valueAt(written, path),
    problem: (path, sentence) => problems.push({ path, sentence }),
  });

  if (problems.length === 0) return compile(result.output as Config);
  throw new ConfigError(
    file,
    problems.map(({ path, sentence }) => `${pathText(path)}: ${sentence}`),
  );
}

function pathOf(issue: v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map((step) => step.key as string | number);
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) value = (value as Record<string | number, unknown> | undefined)?.[step];
  return value;
}
