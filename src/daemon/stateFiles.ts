import { readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

/** What following state files needs of a file system, so that a test can be one. */
export interface StateFiles {
  /** The text of a file; undefined where there is none. Throws what the system says where it cannot be read. */
  read(path: string): string | undefined;
  /** A text that changes when a folder is removed and made again; undefined where there is none. */
  identify(folder: string): string | undefined;
  /** When the last of a folder's files was written, in milliseconds since 1970; undefined where there is none. */
  newest(folder: string): number | undefined;
  /**
   * Calls back after a change within the folder; returns how to stop, or undefined where it cannot be
   * watched. What a watch does not notice is found by asking again.
   */
  watch(folder: string, onChange: () => void): (() => void) | undefined;
}

/** What a state file says: `online` is undefined while it is empty. */
export function readStateFile(
  files: Pick<StateFiles, 'read'>,
  path: string,
): { readonly online: boolean | undefined; readonly warning?: string } {
  let text: string | undefined;
  try {
    text = files.read(path)?.trim();
  } catch (error) {
    return { online: false, warning: `cannot be read (${(error as Error).message}): taken as offline` };
  }
  if (text === undefined || text === 'offline') return { online: false };
  if (text === 'online') return { online: true };
  if (text === '') return { online: undefined };
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
  return { online: false, warning: `says ${shown}, neither "online" nor "offline": taken as offline` };
}

const isMissing = (error: unknown) =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/** The file system of this machine. */
export const systemStateFiles: StateFiles = {
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  identify(folder) {
    try {
      const { dev, ino, birthtimeNs } = statSync(folder, { bigint: true });
      // an inode's number is given again at once on tmpfs, but not with the same time of birth
      return `${dev}:${ino}:${birthtimeNs}`;
    } catch {
      return undefined;
    }
  },
  newest(folder) {
    try {
      const times = readdirSync(folder).map(
        (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
      );
      return times.length === 0 ? undefined : Math.max(...times);
    } catch {
      return undefined;
    }
  },
  watch(folder, onChange) {
    try {
      const watcher = watch(folder, { persistent: false }, onChange);
      // a watch that breaks is replaced when the folder is found to be another
      watcher.on('error', () => watcher.close());
      return () => watcher.close();
    } catch {
      return undefined;
    }
  },
};
