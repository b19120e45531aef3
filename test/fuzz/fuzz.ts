import { readdirSync } from 'node:fs';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { loadFixtures } from '../support/fixtures.ts';
import { decodeEverything, type MessageReader, readers } from './decoders.ts';
import { mutated } from './mutate.ts';
import { Watchdog } from './watchdog.ts';

/** Every captured datagram. */
export function loadCorpus(): Uint8Array[] {
  const folder = new URL('../fixtures/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  return files.sort().flatMap((name) => loadFixtures(name.replace('.jsonl', '')).map(({ bytes }) => bytes));
}

/** An input that some decoder answered with another throw than DecodeError. */
export interface Failure {
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

/**
 * Decodes `count` spoiled datagrams, of the seeds from `seed` upwards. The same seed makes the same bytes
 * as long as the corpus is the same.
 */
export async function fuzz(
  seed: number,
  count: number,
  messageReaders: Readonly<Record<string, MessageReader>> = readers,
): Promise<FuzzReport> {
  const corpus = loadCorpus();
  const watchdog = new Watchdog();
  const failures: Failure[] = [];
  let values = 0;
  let inputs = 0;
  for (; inputs < count && failures.length < MOST_FAILURES; inputs++) {
    watchdog.touch(seed + inputs);
    const bytes = mutated(seed + inputs, corpus);
    try {
      values += decodeEverything(bytes, messageReaders);
    } catch (error) {
      failures.push({ seed: seed + inputs, hex: toHex(bytes), error });
    }
  }
  await watchdog.stop();
  return { inputs, values, failures };
}

/** A failure as it is printed: how to see it again, on what bytes, and where it came from. */
export function failureText({ seed, hex, error }: Failure): string {
  const trace = error instanceof Error ? error.stack : String(error);
  return `FAIL npm run fuzz -- --seed ${seed} --count 1\n${hex}\n${trace}\n`;
}
