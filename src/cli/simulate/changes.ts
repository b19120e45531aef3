import { usageError } from '../errors.ts';

type Json = unknown;
type Container = Record<string, Json> | Json[];

/**
 * A configuration with one value changed: PATH=VALUE, where the path's steps are parted by dots, rules and
 * interfaces stand by their names, and the value is JSON, or text where it is none. `null` takes it away.
 * @param config the configuration's JSON value; it stays as it is
 * @throws CliError where the path leads nowhere
 */
export function changed(config: Json, change: string): Json {
  const at = change.indexOf('=');
  if (at <= 0) throw wrong(change, 'is not PATH=VALUE');
  const copy = structuredClone(config);
  put(copy, change.slice(0, at), writtenValue(change.slice(at + 1)), change);
  return copy;
}

function writtenValue(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function put(node: Json, path: string, value: Json, change: string): void {
  if (typeof node !== 'object' || node === null) throw wrong(change, `has nothing to hold '${path}'`);
  const container = node as Container;
  const step = stepOf(container, path);
  if (step === undefined)
    throw wrong(change, `there is no '${path}'; there are ${namesOf(container).join(', ')}`);
  const { key, rest } = step;
  if (rest !== '') put((container as Record<string | number, Json>)[key], rest, value, change);
  else if (value !== null) (container as Record<string | number, Json>)[key] = value;
  else if (Array.isArray(container)) container.splice(Number(key), 1);
  else delete container[key];
}

/** The member that the path begins with: names may hold dots themselves, so the longest that fits. */
function stepOf(container: Container, path: string): { key: string | number; rest: string } | undefined {
  const names = namesOf(container);
  const fitting = names.filter((name) => path === name || path.startsWith(`${name}.`));
  const name = fitting.sort((a, b) => b.length - a.length)[0];
  if (name !== undefined) {
    const key = Array.isArray(container) ? names.indexOf(name) : name;
    return { key, rest: path.slice(name.length + 1) };
  }
  // an option that is not written yet
  return Array.isArray(container) || path.includes('.') ? undefined : { key: path, rest: '' };
}

/** The names of an object's members; of a list's, their own names, or those of their sets. */
function namesOf(container: Container): string[] {
  if (!Array.isArray(container)) return Object.keys(container);
  return container.map((item, index) => {
    const { name, set } = (item ?? {}) as { name?: string; set?: string };
    return name ?? set ?? String(index);
  });
}

function wrong(change: string, why: string) {
  return usageError('simulate: --change', `'${change}': ${why}`, 'such as \'rules.voip.interfaces=["wan"]\'');
}
