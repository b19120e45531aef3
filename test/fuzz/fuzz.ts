import { readdirSync } from 'node:fs';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { loadFixtures } from '../support/fixtures.ts';
import { decodeEverything, readers } from './decoders.ts';
import { mutated } from './mutate.ts';
import { Watchdog } from './watchdog.ts';

/** Every captured datagram. */
export function loadCorpus(): Uint8Array[] {
  const folder = new URL('../fixtures/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  return files.sort().flatMap((name) => loadFixtures(name.replace('.jsonl', '')).map(({ bytes }) => bytes));
}

/** What is fuzzed: spoiled bytes, and what reads them. */
export interface Target {
  readonly name: string;
  /** The same seed makes the same bytes as long as the corpus is the same. */
  input(seed: number): Uint8Array;
  /**
   * How many readers gave a value.
   * @throws whatever is no error of theirs
   */
  decode(bytes: Uint8Array): number;
}

/** Netlink datagrams, through every decoder of messages. */
export function messages(messageReaders = readers): Target {
  const corpus = loadCorpus();
  return {
    name: 'messages',
    input: (seed) => mutated(seed, corpus),
    decode: (bytes) => decodeEverything(bytes, messageReaders),
  };
}

/** An input that some decoder answered with another throw than its error. */
export interface Failure {
  readonly target: string;
  readonly seed: number;
  readonly hex: string;
  readonly error: unknown;
}

export interface FuzzReport {
  readonly inputs: number;
  /** How often a decoder gave a value: a fuzzer whose every input is refused at once tests nothing. */
  readonly values: number;
  readonly failures: readonly Failure[];
}

const MOST_FAILURES = 10;

/** Decodes `count` inputs, of the seeds from `seed` upwards. */
export async function fuzz(target: Target, seed: number, count: number): Promise<FuzzReport> {
  const watchdog = new Watchdog();
  const failures: Failure[] = [];
  let values = 0;
  let inputs = 0;
  for (; inputs < count && failures.length < MOST_FAILURES; inputs++) {
    watchdog.touch(seed + inputs);
    const bytes = target.input(seed + inputs);
    try {
      values += target.decode(bytes);
    } catch (error) {
      failures.push({ target: target.name, seed: seed + inputs, hex: toHex(bytes), error });
    }
  }
  await watchdog.stop();
  return { inputs, values, failures };
}

/** A failure as it is printed: how to see it again, on what bytes, and where it came from. */
export function failureText({ target, seed, hex, error }: Failure): string {
  const trace = error instanceof Error ? error.stack : String(error);
  return `FAIL npm run fuzz -- --target ${target} --seed ${seed} --count 1\n${hex}\n${trace}\n`;
}
