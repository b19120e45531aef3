import { readU16host, toHex, writeU16host, writeU32host } from '../nfnetlink/bytes.ts';
import { requestFlags } from '../nfnetlink/exchange.ts';
import type { Subsystem } from '../nfnetlink/subsystem.ts';
import { decodeTree } from '../nfnetlink/tree.ts';

/** A request without what the connection sets: sequence number, port id, NLM_F_REQUEST and NLM_F_ACK. */
export function normalized(message: Uint8Array): Uint8Array {
  const bytes = message.slice();
  writeU16host(bytes, 6, readU16host(bytes, 6) | requestFlags);
  writeU32host(bytes, 8, 0);
  writeU32host(bytes, 12, 0);
  return bytes;
}

/** One message as lines of text: its tree where it can be decoded, else its bytes. */
export function messageLines(message: Uint8Array, subsystems: readonly Subsystem[]): string[] {
  try {
    return JSON.stringify(decodeTree(message, subsystems).messages, undefined, 1).split('\n');
  } catch (error) {
    return [`${(error as Error).message}: ${toHex(message)}`];
  }
}

/** Both messages as trees: lines of the expected one alone with -, of the actual one alone with +. */
export function difference(
  expected: Uint8Array,
  actual: Uint8Array,
  subsystems: readonly Subsystem[],
): string {
  return mergeLines(
    messageLines(normalized(expected), subsystems),
    messageLines(normalized(actual), subsystems),
  ).join('\n');
}

/** The longest common subsequence of lines, with what is beside it. */
function mergeLines(left: readonly string[], right: readonly string[]): string[] {
  const width = right.length + 1;
  const common = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      common[i * width + j] =
        left[i] === right[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: string[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && left[i] === right[j]) {
      lines.push(`  ${left[i++]}`);
      j++;
    } else if (
      j === right.length ||
      (i < left.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push(`- ${left[i++]}`);
    } else {
      lines.push(`+ ${right[j++]}`);
    }
  }
  return lines;
}
