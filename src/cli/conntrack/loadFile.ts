import { closeSync, createReadStream, fstatSync, openSync } from 'node:fs';
import { Readable } from 'node:stream';
import { EncodeError } from '../../nfnetlink/errors.ts';
import { byteLines, lineEnd } from '../byteLines.ts';
import type { CommandLine } from './commandLine.ts';
import { encodeCreate } from './create.ts';
import { Creations } from './creations.ts';
import { ConntrackExit, wrongParameter } from './exit.ts';
import { type EncodeWords, LineTemplates } from './lineTemplates.ts';
import type { CommandName } from './optionTable.ts';
import type { ParseContext } from './optionValues.ts';
import { parseCommandLine } from './parse.ts';
import type { Session } from './session.ts';
import { splitWords } from './splitWords.ts';

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

/** Runs one line that makes no flow. */
export type RunLine = (line: CommandLine) => Promise<void>;

/**
 * -R: every line is read and checked before the first is done, so the file is read twice, piece by piece; what
 * cannot be read twice is kept meanwhile. Lines that make flows are sent many at a time; the others run one after
 * the other, in the order of the file.
 */
export async function loadFile(
  path: string,
  session: Session,
  context: ParseContext,
  runLine: RunLine,
): Promise<void> {
  const source = await openCommands(path, session);
  try {
    const templates = new LineTemplates(encodeWords);
    await checkLines(source, templates, context);
    await runLines(source, templates, session, { ...context, warn: () => {} }, runLine);
  } finally {
    source.close();
  }
}

/** The request of a line that makes a flow and has nothing to say of it. */
const encodeWords: EncodeWords = (words) => {
  let isSilent = true;
  const warn = () => {
    isSilent = false;
  };
  try {
    const line = parseCommandLine(words, { warn });
    if (!isCreating(line)) return undefined;
    const message = encodeCreate(line);
    return isSilent ? { message, isAdd: line.command === 'add' } : undefined;
  } catch (error) {
    if (error instanceof ConntrackExit || error instanceof EncodeError) return undefined;
    throw error;
  }
};

function isCreating(line: CommandLine): boolean {
  return line.command === 'create' || line.command === 'add';
}

/** @throws ConntrackExit for the first line that is wrong, or else the first that has no place in a file */
async function checkLines(
  source: CommandSource,
  templates: LineTemplates,
  context: ParseContext,
): Promise<void> {
  const scratch = new Uint8Array(Creations.LONGEST);
  let refused: CommandLine | undefined;
  for await (const piece of byteLines(source.read(), Number.POSITIVE_INFINITY)) {
    for (let at = 0; at < piece.length; ) {
      const end = lineEnd(piece, at, Number.POSITIVE_INFINITY);
      if (templates.write(piece, at, end, scratch, 0) < 0) {
        const line = parseLine(piece, at, end, context);
        if (line && !loadable.includes(line.command)) refused ??= line;
        if (line && isCreating(line)) templates.learn(piece, at, end);
      }
      at = end;
    }
  }
  if (!refused) return;
  const name = (refused.command && refusedNames[refused.command]) ?? 'unknown';
  throw wrongParameter(`Cannot use command \`${name}' with --load-file`);
}

async function runLines(
  source: CommandSource,
  templates: LineTemplates,
  session: Session,
  context: ParseContext,
  runLine: RunLine,
): Promise<void> {
  const creations = new Creations(session);
  for await (const piece of byteLines(source.read(), Number.POSITIVE_INFINITY)) {
    for (let at = 0; at < piece.length; ) {
      const end = lineEnd(piece, at, Number.POSITIVE_INFINITY);
      if (creations.isFull) await creations.send();
      if (!creations.addPlain(templates, piece, at, end)) {
        const line = parseLine(piece, at, end, context);
        if (line && isCreating(line)) creations.add(encodeCreate(line), line.command === 'add');
        else if (line) {
          await creations.send();
          await runLine(line);
        }
      }
      at = end;
    }
  }
  await creations.send();
}

/** Undefined for a comment or an empty line. @throws ConntrackExit */
function parseLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: ParseContext,
): CommandLine | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
  const words = splitWords(text.endsWith('\n') ? text.slice(0, -1) : text);
  return words && parseCommandLine(words, context);
}

/** Lines that can be read more than once. */
interface CommandSource {
  read(): Readable;
  close(): void;
}

async function openCommands(path: string, { io }: Session): Promise<CommandSource> {
  if (path === '-') return kept(io.stdin);
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (!stat.isFile()) return await kept(createReadStream(path, { fd }));
    const file = fd;
    // what is written behind the end meanwhile was not checked
    const read = () =>
      stat.size === 0
        ? Readable.from([])
        : createReadStream(path, { fd: file, start: 0, end: stat.size - 1, autoClose: false });
    return { read, close: () => closeSync(file) };
  } catch {
    throw wrongParameter(`Failed to open file ${path} for reading`);
  }
}

async function kept(stream: Readable): Promise<CommandSource> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return { read: () => Readable.from(pieces), close: () => {} };
}
