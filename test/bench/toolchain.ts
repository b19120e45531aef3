/** What the benchmarks run: the executable and the measuring programs as built, and the Node versions. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
// @ts-expect-error build scripts are plain JavaScript
import { installRuntimes } from '../../scripts/runtimes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A Node version and the transport that it gets. */
export interface Runtime {
  readonly node: string;
  readonly transport: 'ffi' | 'handle';
  /** 'Node 26, ffi' */
  readonly label: string;
}

export interface Toolchain {
  /** The executable, dist/resteer.cjs. */
  readonly executable: string;
  /** A measuring program of test/bench/programs, bundled over the library. */
  program(name: string): string;
  /** programs/floor.ts. */
  readonly floor: string;
  /** Those of Node 26 and Node 20 that this machine has; never empty. */
  readonly runtimes: readonly Runtime[];
  /** A folder for configurations, logs and sockets of this run; its name is short enough for sockets. */
  readonly scratch: string;
  /** Removes what this run has written. */
  dispose(): void;
}

export async function prepare(): Promise<Toolchain> {
  const executable = join(root, 'dist/resteer.cjs');
  if (isStale(executable)) buildExecutable();
  // below node_modules, so that what is not bundled is found
  const cache = join(root, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'bench-'));
  const scratch = mkdtempSync(join(tmpdir(), 'resteer-bench-'));
  const programs = join(root, 'test/bench/programs');
  const options = {
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node18.20',
    packages: 'external',
    logLevel: 'warning',
  } as const;
  const isFloor = (name: string) => name === 'floor.ts';
  const paths = (names: string[]) => names.map((name) => join(programs, name));
  const names = readdirSync(programs);
  await build({
    ...options,
    entryPoints: paths(names.filter((name) => !isFloor(name))),
    outExtension: { '.js': '.mjs' },
    format: 'esm',
  });
  // CommonJS, as the executable is: Node's loader of ES modules has a cost of its own
  await build({
    ...options,
    entryPoints: paths(names.filter(isFloor)),
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    define: { 'import.meta.url': '__filename' },
  });
  return {
    executable,
    program: (name) => join(folder, `${name}.mjs`),
    floor: join(folder, 'floor.cjs'),
    runtimes: findRuntimes(),
    scratch,
    dispose: () => {
      for (const each of [folder, scratch]) rmSync(each, { recursive: true, force: true });
    },
  };
}

function findRuntimes(): Runtime[] {
  const paths = installRuntimes().paths as ReadonlyMap<number, string>;
  const runtime = (major: number, transport: Runtime['transport']): Runtime[] => {
    const node = paths.get(major);
    return node ? [{ node, transport, label: `Node ${major}, ${transport}` }] : [];
  };
  const found = [...runtime(26, 'ffi'), ...runtime(20, 'handle')];
  if (found.length > 0) return found;
  const own = Number(process.versions.node.split('.')[0]);
  return runtime(own, own >= 26 ? 'ffi' : 'handle');
}

function isStale(file: string): boolean {
  try {
    const { mtimeMs } = statSync(file);
    return newest(join(root, 'src')) > mtimeMs || statSync(join(root, 'build.mjs')).mtimeMs > mtimeMs;
  } catch {
    return true;
  }
}

function newest(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? newest(path) : statSync(path).mtimeMs;
    }),
  );
}

function buildExecutable(): void {
  const { status } = spawnSync(process.execPath, ['build.mjs'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the build failed: see above');
}
