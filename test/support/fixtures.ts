/** Messages captured from the kernel and from the real programs: one JSON object a line. */
import { readFileSync } from 'node:fs';
import { fromHex } from '../../src/nfnetlink/bytes.ts';
import type { DatagramTree } from '../../src/nfnetlink/tree.ts';

export interface Fixture {
  readonly name: string;
  /** What was captured, often with the command that made it. */
  readonly description: string;
  readonly direction: string;
  /** The kernel release that it was captured on. */
  readonly kernel: string;
  readonly bytes: Uint8Array;
  readonly decoded: DatagramTree;
  readonly note?: string;
}

/** Every fixture of test/fixtures/FILE.jsonl. */
export function loadFixtures(file: string): Fixture[] {
  const text = readFileSync(new URL(`../fixtures/${file}.jsonl`, import.meta.url), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { hex, ...fixture } = JSON.parse(line);
      return { ...fixture, bytes: fromHex(hex)! };
    });
}

/** One fixture by its name; throws where there is none, so that a renamed one is noticed. */
export function fixture(file: string, name: string): Fixture {
  const found = loadFixtures(file).find((entry) => entry.name === name);
  if (!found) throw new Error(`test/fixtures/${file}.jsonl has no fixture ${name}`);
  return found;
}
