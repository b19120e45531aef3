import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CliError } from '../errors.ts';

/** Flows are nobody else's business, unless the file that is replaced was. */
const OWNER_ONLY = 0o600;
/** Characters that are gathered before they are written. */
const CHUNK = 1 << 16;

/**
 * Puts pieces of text into a file that has either all of them or what it had before: written beside it, then
 * renamed. A file that is there keeps its mode, and a link goes on to lead to it.
 * @throws CliError where the path is no file; what the file system refuses
 */
export function replaceFile(path: string, pieces: Iterable<string>): void {
  const { target, mode } = targetOf(path);
  const draft = besides(target);
  const fd = create(draft, path, mode);
  try {
    try {
      // what the umask took
      if (mode !== undefined) fchmodSync(fd, mode);
      writePieces(fd, pieces);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, target);
  } catch (error) {
    unlinkSync(draft);
    throw error;
  }
}

/**
 * Tries what replaceFile() will need, so that nobody waits for a report that then has no place.
 * @throws as replaceFile() does
 */
export function checkReplaceable(path: string): void {
  const { target } = targetOf(path);
  const draft = besides(target);
  closeSync(create(draft, path));
  unlinkSync(draft);
}

/** Opens a file that is not there yet. An error names the file that it is to become. */
function create(draft: string, path: string, mode = OWNER_ONLY): number {
  try {
    return openSync(draft, 'wx', mode);
  } catch (error) {
    throw Object.assign(error as NodeJS.ErrnoException, { path });
  }
}

function besides(target: string): string {
  return join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
}

function targetOf(path: string): { target: string; mode: number | undefined } {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return { target: path, mode: undefined };
  if (!found.isFile()) {
    throw new CliError(path, 'it is no file that can be replaced', 'leave out --output and redirect instead');
  }
  return { target: realpathSync(path), mode: found.mode & 0o7777 };
}

function writePieces(fd: number, pieces: Iterable<string>): void {
  let gathered = '';
  const flush = () => {
    const bytes = Buffer.from(gathered);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    gathered = '';
  };
  for (const piece of pieces) {
    gathered += piece;
    if (gathered.length >= CHUNK) flush();
  }
  flush();
}
