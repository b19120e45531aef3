import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { CaptureError, CaptureReader } from '../../src/capture/index.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { cooked, FileBuilder, joined } from '../support/captureFiles.ts';
import type { Target } from './fuzz.ts';
import { Random } from './random.ts';

/** Capture files of every kind: of real programs, and in both byte orders. */
function loadCaptures(): Uint8Array[] {
  const folder = new URL('../fixtures/captures/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.includes('.pcap'));
  const made = [true, false].flatMap((isLittle) => {
    const file = new FileBuilder(isLittle);
    const packet = cooked(Uint8Array.of(20, 0, 0, 0, 3, 0, 2, 0));
    const pcap = [file.pcapHeader(0xa1b23c4d), file.pcapRecord(1, 2, packet), file.pcapRecord(3, 4, packet)];
    const pcapng = [
      file.section(),
      file.interface(),
      file.interface(253, 20, file.option(9, Uint8Array.of(0x94)), file.option(14, file.fields([5, 64]))),
      file.obsolete(6n, packet, 2),
      file.enhanced(7n, packet, { interfaceId: 1, options: [file.option(1, packet)] }),
      file.simple(packet),
    ];
    return [joined(pcap), joined(pcapng), joined([...pcapng, ...pcapng])];
  });
  return [...files.map((name) => Uint8Array.from(readFileSync(new URL(name, folder)))), ...made];
}

const wrongWords = [
  0, 1, 2, 3, 4, 11, 12, 13, 16, 28, 0xffff, 0x10000, 0x1000000, 0x1000001, 0x7fffffff, 0xffffffff,
];

/** One of the files, spoiled in a few places: a byte, a length, or a piece that is missing or comes from another. */
function spoiled(seed: number, corpus: readonly Uint8Array[]): Uint8Array {
  const random = new Random(seed);
  let bytes: Uint8Array = random.pick(corpus).slice();
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.below(bytes.length + 1) & ~3;
    switch (random.below(6)) {
      case 0:
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
        break;
      case 1:
      case 2:
        if (at + 4 <= bytes.length)
          new DataView(bytes.buffer, bytes.byteOffset).setUint32(
            at,
            random.pick(wrongWords),
            random.below(2) === 0,
          );
        break;
      case 3:
        bytes = joined([bytes.subarray(0, at), bytes.subarray(at + 4 + 4 * random.below(8))]);
        break;
      case 4:
        bytes = joined([bytes.subarray(0, at), random.pick(corpus).subarray(random.below(300) & ~3)]);
        break;
      default:
        bytes = bytes.slice(0, random.below(bytes.length + 1));
    }
  }
  return bytes;
}

/** What a reader makes of a file in pieces of so many bytes, as text. */
function readInPieces(file: Uint8Array, size: number): { values: number; said: string } {
  const reader = new CaptureReader();
  const said: string[] = [];
  let values = 0;
  try {
    for (let at = 0; at < file.length; at += size) {
      for (const { bytes, time, ...facts } of reader.push(file.subarray(at, at + size))) {
        values += 1;
        said.push(`${time} ${toHex(bytes)} ${JSON.stringify(facts)}`);
      }
    }
    reader.end();
    said.push(String(reader.totals.cut));
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    said.push(error.message);
  }
  return { values, said: said.join('\n') };
}

/** Capture files: read whole and in pieces, with the same outcome. */
export function captures(): Target {
  const corpus = loadCaptures();
  return {
    name: 'captures',
    input: (seed) => spoiled(seed, corpus),
    decode(bytes) {
      const whole = readInPieces(bytes, Math.max(1, bytes.length));
      const pieces = readInPieces(bytes, 1 + (bytes.length % 61));
      assert.is(pieces.said, whole.said);
      return whole.values;
    },
  };
}
