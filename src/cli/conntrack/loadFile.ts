import { readFileSync } from 'node:fs';
import { decodeRefusal } from '../../nfnetlink/ack.ts';
import { concatenated, messageType } from '../../nfnetlink/message.ts';
import type { CommandLine } from './commandLine.ts';
import { encodeCreate } from './create.ts';
import { wrongParameter } from './exit.ts';
import type { CommandName } from './optionTable.ts';
import { type ParseContext, parseCommandLine } from './parse.ts';
import { operationFailed, refusalCode } from './refusal.ts';
import type { Session } from './session.ts';

const loadable: readonly (CommandName | undefined)[] = ['create', 'add', 'update', 'delete', 'flush'];

/** How the others are called in the error; one of the names is conntrack(8)'s own slip. */
const refusedNames: Readonly<Partial<Record<CommandName, string>>> = {
  list: '-L',
  get: '-G',
  event: '-E',
  version: '-V',
  help: '-h',
  'expect-list': '-L expect',
  'expect-create': '-C expect',
  'expect-delete': '-D expect',
  'expect-get': '-G expect',
  'expect-flush': '-F expect',
  'expect-event': '-E expect',
  count: '-C',
  'expect-count': '-C expect',
  stats: '-S',
  'expect-stats': '-S expect',
};

/**
 * -R: every line is read and checked before the first is done. Lines that make flows are sent many at a time;
 * the others run one after the other, in the order of the file.
 */
export async function loadFile(
  path: string,
  session: Session,
  context: ParseContext,
  runLine: (line: CommandLine) => Promise<void>,
): Promise<void> {
  const text = await readCommands(path, session);
  const lines: (CommandLine | Creation)[] = [];
  for (const row of text.split('\n')) {
    const words = splitWords(row);
    if (!words) continue;
    const line = parseCommandLine(words, context);
    lines.push(isCreating(line) ? { command: line.command, message: encodeCreate(line) } : line);
  }
  const refused = lines.find(({ command }) => !loadable.includes(command));
  if (refused) {
    const name = (refused.command && refusedNames[refused.command]) ?? 'unknown';
    throw wrongParameter(`Cannot use command \`${name}' with --load-file`);
  }
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]!;
    if ('message' in line) {
      const batch = creationsFrom(lines, at);
      await createMany(batch, session);
      at += batch.length;
    } else {
      await runLine(line);
      at++;
    }
  }
}

async function readCommands(path: string, { io }: Session): Promise<string> {
  if (path === '-') {
    const pieces: Uint8Array[] = [];
    for await (const piece of io.stdin) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces).toString('utf8');
  }
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw wrongParameter(`Failed to open file ${path} for reading`);
  }
}

const MAX_WORD = 1023;
const MAX_WORDS = 253;

/** The words of a line; undefined for a comment or an empty line. @throws ConntrackExit */
export function splitWords(line: string): string[] | undefined {
  const row = line.replace(/^[ \t]+/, '');
  if (row === '' || row.startsWith('#')) return undefined;
  const words: string[] = [];
  let word = '';
  let isQuoted = false;
  let isEscaped = false;
  const end = () => {
    if (words.push(word) > MAX_WORDS) throw wrongParameter('too many arguments');
    word = '';
  };
  for (const character of row) {
    if (isQuoted && !isEscaped && character === '\\') isEscaped = true;
    else if (isQuoted && !isEscaped && character === '"') {
      isQuoted = false;
      end();
    } else if (!isQuoted && character === '"') isQuoted = true;
    else if (!isQuoted && (character === ' ' || character === '\t')) {
      if (word !== '') end();
    } else {
      word += character;
      isEscaped = false;
      if (word.length > MAX_WORD) throw wrongParameter('Parameter too long!');
    }
  }
  if (word !== '') end();
  return words;
}

/** A line that makes a flow: all that is kept of it is its request. */
interface Creation {
  readonly command: 'create' | 'add';
  readonly message: Uint8Array;
}

function isCreating(line: CommandLine): line is CommandLine & { command: Creation['command'] } {
  return line.command === 'create' || line.command === 'add';
}

const CREATE_BATCH = 4096;

/** The lines from here on that make flows, up to a batch. */
function creationsFrom(lines: readonly (CommandLine | Creation)[], from: number): Creation[] {
  const batch: Creation[] = [];
  for (let at = from; at < lines.length && batch.length < CREATE_BATCH; at++) {
    const line = lines[at]!;
    if (!('message' in line)) break;
    batch.push(line);
  }
  return batch;
}

/** @throws ConntrackExit for the first line that the kernel refused; lines behind it may be done by then */
async function createMany(lines: readonly Creation[], session: Session): Promise<void> {
  let failed: { command: Creation['command']; error: unknown } | undefined;
  const requester = await session.questions;
  await requester.pipeline(concatenated(lines.map(({ message }) => message)), {
    onAck(index, errno, bytes, start, end) {
      if (errno === 0 || failed) return;
      const { command, message } = lines[index]!;
      const error = decodeRefusal(bytes, start, end, messageType(message, 0));
      if (command === 'add' && refusalCode(error) === 'EEXIST') return;
      failed = { command, error };
    },
  });
  if (failed) throw operationFailed(failed.error, failed.command);
}
