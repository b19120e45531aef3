/**
 * Native code that travels inside a single file: it touches a disk for as long as the loader needs to map
 * it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TransportError } from '../errors.ts';

/** Bindings of npm `netlink`, of which this machine's is unpacked when it is needed. */
export interface EmbeddedBindings {
  /** By process.arch, the bytes [start, end) of what unpacks. */
  readonly index: Readonly<Record<string, readonly [start: number, end: number]>>;
  /** All of them, one behind the other. */
  unpack(): Uint8Array;
}

let embedded: EmbeddedBindings = { index: {}, unpack: () => new Uint8Array() };

/** Says which bindings the program carries: for the entry of a bundle that has no node_modules beside it. */
export function embedBindings(bindings: EmbeddedBindings): void {
  embedded = bindings;
}

/** Whether the program carries a binding for this machine. */
export function hasEmbedded(): boolean {
  return embedded.index[process.arch] !== undefined;
}

function unpack(): Uint8Array {
  const [start, end] = embedded.index[process.arch] ?? [0, 0];
  return embedded.unpack().subarray(start, end);
}

/** Folders that may allow executable mappings; /tmp is often mounted noexec. */
function folders(): string[] {
  const found = [tmpdir(), '/dev/shm', process.env.XDG_RUNTIME_DIR, '/run', '/var/tmp', process.cwd()];
  return [...new Set(found.filter((folder) => folder !== undefined && folder !== ''))] as string[];
}

function loadFrom(folder: string, bytes: Uint8Array): unknown {
  const own = mkdtempSync(join(folder, 'resteer-')); // mode 0700
  try {
    const file = join(own, 'binding.node');
    writeFileSync(file, bytes, { mode: 0o500, flag: 'wx' });
    const loaded = { exports: {} };
    process.dlopen(loaded, file);
    return loaded.exports;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/**
 * Loads the binding for this machine through a private temporary folder, which is gone when this returns.
 * @throws TransportError dlopen ENOEXEC with what each folder answered.
 */
export function loadEmbedded(candidates: readonly string[] = folders()): unknown {
  const bytes = unpack();
  const reasons: string[] = [];
  for (const folder of candidates) {
    try {
      return loadFrom(folder, bytes);
    } catch (error) {
      reasons.push(`${folder}: ${(error as Error).message}`);
    }
  }
  throw new TransportError(
    'dlopen',
    'ENOEXEC',
    'the embedded binding could not be loaded from any folder; set TMPDIR to one that is writable and not ' +
      `mounted noexec, or use Node 26.9 or later, which needs no binding (${reasons.join('; ')})`,
  );
}
