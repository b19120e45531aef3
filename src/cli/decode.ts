import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { isCapture, MAGIC_BYTES } from '../capture/index.ts';
import { ctnetlink, ctnetlinkExp } from '../ctnetlink/subsystem.ts';
import { ipset } from '../ipset/subsystem.ts';
import { NETLINK } from '../nfnetlink/constants.ts';
import {
  type AttributeTree,
  type DatagramTree,
  decodeTree,
  type MessageTree,
  type OffsetListener,
} from '../nfnetlink/tree.ts';
import { decodeRouteTree } from '../rtnetlink/index.ts';
import { captureInput } from './captureInput.ts';
import { CliError, isNetlinkError } from './errors.ts';
import { hexLines } from './hexLines.ts';
import type { InputDatagram } from './inputDatagram.ts';
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
  resteer decode flows.pcapng
  tcpdump -i nlmon0 -w - | resteer decode --json -

Input: a capture file, pcap or pcapng with link type 253 (netlink), as resteer capture, Wireshark and tcpdump write
it; or one datagram a line in hexadecimal digits; white space anywhere, # begins a comment. The JSON of a captured
datagram has its "time" too, and where they say something "protocol" (the netlink family, where it is not 12), "lost"
(how many before it are missing) and "comments".
Exit code 1 if a datagram could not be decoded or a file is cut off; the others are printed all the same.`;

/** `resteer decode`: netfilter messages, of a capture file or in hex, as readable trees or JSON. */
export const addDecode: AddCommand = (program, io) => {
  program
    .command('decode')
    .summary('netlink messages of a capture, or in hex, as readable trees or JSON')
    .description(
      'Prints netlink messages of conntrack and ipset, of a capture file or in hexadecimal digits, as trees.',
    )
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
  const say = (text: string) => io.stderr.write(`resteer: decode: ${text}\n`);
  try {
    for await (const input of datagramsOf(stream, name, say)) {
      const outcome = decodeInput(input, options);
      tally.datagrams++;
      if (outcome.isFault) tally.faults++;
      pending += outcome.text;
      if (pending.length < GATHER) continue;
      await write(io.stdout, pending);
      pending = '';
    }
  } finally {
    // also what was decoded before the input went wrong
    if (pending) await write(io.stdout, pending);
  }
}

/** Tells what the input is by how it begins. */
async function* datagramsOf(
  stream: Readable,
  name: string,
  say: (text: string) => void,
): AsyncGenerator<InputDatagram> {
  const pieces = piecesOf(stream);
  const { value: first } = await pieces.next();
  if (first === undefined) return;
  const all = (async function* () {
    yield first;
    yield* pieces;
  })();
  if (isCapture(first)) yield* captureInput(all, name, say);
  else yield* hexLines(all, name);
}

/** A stream's pieces as bytes; the first has as many as tell a capture file, if there are so many. */
async function* piecesOf(stream: Readable): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array | undefined = new Uint8Array(0);
  for await (const piece of stream as AsyncIterable<Uint8Array | string>) {
    const bytes: Uint8Array = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (!begun) {
      yield bytes;
      continue;
    }
    begun = Buffer.concat([begun, bytes]);
    if (begun.length < MAGIC_BYTES) continue;
    yield begun;
    begun = undefined;
  }
  if (begun && begun.length > 0) yield begun;
}

function decodeInput(input: InputDatagram, options: DecodeOptions): { text: string; isFault: boolean } {
  try {
    if (input.fault)
      return { text: faultText(input, input.fault, input.bytes.length, options), isFault: true };
    return { text: datagramText(input, options), isFault: false };
  } catch (error) {
    if (!isNetlinkError(error) || !('offset' in error)) throw error;
    return { text: faultText(input, error.message, Number(error.offset), options), isFault: true };
  }
}

function treeOf({ bytes, captured }: InputDatagram, heard?: OffsetListener): DatagramTree {
  return captured?.protocol === NETLINK.ROUTE
    ? decodeRouteTree(bytes, heard)
    : decodeTree(bytes, subsystems, heard);
}

function datagramText(input: InputDatagram, options: DecodeOptions): string {
  if (options.json) return `${JSON.stringify({ ...input.captured, ...treeOf(input) })}\n`;
  const offsets = new Map<AttributeTree | MessageTree, number>();
  const tree = treeOf(input, (node, offset) => offsets.set(node, offset));
  const { bytes } = input;
  return `${titleText(input)}${treeText(tree, offsets, options.bytes ? { bytes } : {})}\n`;
}

function faultText(input: InputDatagram, error: string, offset: number, options: DecodeOptions): string {
  if (options.json) return `${JSON.stringify({ ...input.captured, error, offset })}\n`;
  return `${titleText(input)}${offset.toString(16).padStart(4, '0')} error: ${error}\n\n`;
}

function titleText({ place, bytes, captured = {} }: InputDatagram): string {
  const { time, protocol, lost, comments = [] } = captured;
  const facts = [
    `${place}${time === undefined ? '' : ` at ${time}`}`,
    ...(protocol === undefined ? [] : [`netlink family ${protocol}`]),
    `${bytes.length} bytes`,
    ...(lost === undefined ? [] : [`${lost} datagrams before it are missing`]),
  ];
  // what somebody has noted may hold anything, as text from the wire
  const notes = comments.map((comment) => `# ${JSON.stringify(comment)}\n`);
  return `# ${facts.join(', ')}\n${notes.join('')}`;
}
