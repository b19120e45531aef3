import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { ctnetlink, ctnetlinkExp } from '../ctnetlink/subsystem.ts';
import { ipset } from '../ipset/subsystem.ts';
import { type AttributeTree, decodeTree, type MessageTree } from '../nfnetlink/tree.ts';
import { CliError, isNetlinkError } from './errors.ts';
import { type HexLine, hexLines } from './hexLines.ts';
import { type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';
import { treeText } from './treeText.ts';

/** Every subsystem that this program has tables of. */
const subsystems = [ctnetlink, ctnetlinkExp, ipset];

interface DecodeOptions {
  readonly json?: true;
  readonly bytes?: true;
}

const examples = `
Examples:
  echo 1400000001010503e903000000000000 02000000 | resteer decode
  resteer decode --json messages.hex | jq .messages[0].kind
  resteer decode --bytes messages.hex

Input: one datagram a line in hexadecimal digits; white space anywhere, # begins a comment.
Exit code 1 if a datagram could not be decoded; the others are printed all the same.`;

/** `resteer decode`: netfilter messages as readable trees or JSON. */
export const addDecode: AddCommand = (program, io) => {
  program
    .command('decode')
    .summary('netlink messages in hex as readable trees or JSON')
    .description('Prints netlink messages of conntrack and ipset, given in hexadecimal digits, as trees.')
    .argument('[file...]', 'files to read; standard input without any, or for -')
    .option('-j, --json', 'one JSON object a datagram')
    .option('-x, --bytes', 'show the first bytes of each part in the tree')
    .addHelpText('after', examples)
    .action((files: string[], options: DecodeOptions) => decode(files, options, io));
};

/** What was read and what of it was no netlink message. */
interface Tally {
  datagrams: number;
  faults: number;
}

async function decode(files: readonly string[], options: DecodeOptions, io: Io): Promise<void> {
  const tally: Tally = { datagrams: 0, faults: 0 };
  for (const file of files.length > 0 ? files : ['-']) {
    if (file === '-' && io.stdin.isTTY) {
      io.stderr.write('resteer: decode: reading hex lines from the terminal, Ctrl-D ends\n');
    }
    const isStdin = file === '-';
    const stream = isStdin ? io.stdin : createReadStream(file);
    await decodeStream(stream, isStdin ? 'standard input' : file, options, tally, io);
  }
  if (tally.datagrams === 0) io.stderr.write('resteer: decode: the input holds no datagram\n');
  if (tally.faults === 0) return;
  const noun = tally.datagrams === 1 ? 'datagram' : 'datagrams';
  throw new CliError(
    'decode',
    `${tally.faults} of ${tally.datagrams} ${noun} could not be decoded`,
    'the output says where each goes wrong',
  );
}

// output is gathered: a write for each datagram would cost more than decoding it
const GATHER = 1 << 16;

async function decodeStream(
  stream: Readable,
  name: string,
  options: DecodeOptions,
  tally: Tally,
  io: Io,
): Promise<void> {
  let pending = '';
  for await (const line of hexLines(stream, name)) {
    const outcome = decodeLine(line, options);
    tally.datagrams++;
    if (outcome.isFault) tally.faults++;
    pending += outcome.text;
    if (pending.length < GATHER) continue;
    await write(io.stdout, pending);
    pending = '';
  }
  if (pending) await write(io.stdout, pending);
}

function decodeLine(input: HexLine, options: DecodeOptions): { text: string; isFault: boolean } {
  try {
    if (input.fault)
      return { text: faultText(input, input.fault, input.bytes.length, options), isFault: true };
    return { text: datagramText(input, options), isFault: false };
  } catch (error) {
    if (!isNetlinkError(error) || !('offset' in error)) throw error;
    return { text: faultText(input, error.message, Number(error.offset), options), isFault: true };
  }
}

function datagramText({ line, bytes }: HexLine, options: DecodeOptions): string {
  if (options.json) return `${JSON.stringify(decodeTree(bytes, subsystems))}\n`;
  const offsets = new Map<AttributeTree | MessageTree, number>();
  const tree = decodeTree(bytes, subsystems, (node, offset) => offsets.set(node, offset));
  return `# line ${line}, ${bytes.length} bytes\n${treeText(tree, offsets, options.bytes ? { bytes } : {})}\n`;
}

function faultText(input: HexLine, error: string, offset: number, options: DecodeOptions): string {
  if (options.json) return `${JSON.stringify({ error, offset })}\n`;
  return `# line ${input.line}, ${input.bytes.length} bytes\n${offset.toString(16).padStart(4, '0')} error: ${error}\n\n`;
}
