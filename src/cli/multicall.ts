import { basename } from 'node:path';
import type { Io } from './io.ts';

/** A program that resteer stands for: its own command line, its own exit codes. */
export type StandIn = (args: readonly string[], io: Io) => Promise<number>;

const standIns: Readonly<Record<string, () => Promise<StandIn>>> = {
  conntrack: async () => (await import('./conntrack/conntrack.ts')).conntrack,
  ipset: async () => (await import('./ipset/index.ts')).ipset,
};

/** The program that the arguments begin with, where resteer stands for it. */
export async function loadStandIn(argv: readonly string[]): Promise<StandIn | undefined> {
  const [first = ''] = argv;
  return Object.hasOwn(standIns, first) ? standIns[first]!() : undefined;
}

/**
 * The arguments as if they had been given to resteer: called through a link named `conntrack`, this file is
 * that program.
 * @param script the path by which this file was called
 */
export function asCalled(script: string | undefined, args: readonly string[]): string[] {
  const name = basename(script ?? '');
  return Object.hasOwn(standIns, name) ? [name, ...args] : [...args];
}
