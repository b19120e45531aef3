import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildLab, LabError, labRequirements, missingText } from '../../src/lab/index.ts';
import { skipFile } from '../support/namespace.ts';

const { how, missing } = labRequirements();
if (how !== 'root') skipFile(import.meta.url, missing.map(missingText).join('; ') || 'needs root');

const namespacesOf = (id: string): string[] =>
  existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith(`${id}-`)) : [];

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function waitUntil(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < end, `not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const program = fileURLToPath(new URL('../support/labProgram.ts', import.meta.url));

/** Starts a process that builds a laboratory; resolves when that stands. */
async function startBuilder(): Promise<{ child: ChildProcess; id: string; inside: number }> {
  const child = spawn(process.execPath, [...process.execArgv, program, 'build'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) return { child, ...JSON.parse(line) };
  throw new Error('the builder said nothing');
}

/** Distributions' settings against user namespaces for those who are not root. */
function forbidsUserNamespaces(): boolean {
  const settings = { apparmor_restrict_unprivileged_userns: '1', unprivileged_userns_clone: '0' };
  return Object.entries(settings).some(([name, value]) => {
    const path = `/proc/sys/kernel/${name}`;
    return existsSync(path) && readFileSync(path, 'utf8').trim() === value;
  });
}

const ended = (child: ChildProcess) =>
  new Promise<{ code: number | null }>((resolve) => child.once('exit', (code) => resolve({ code })));

test('two laboratories stand side by side, and each goes whole', async () => {
  const labs = await Promise.all([buildLab(), buildLab({ defaultWan: 2, wans: 3 })]);
  try {
    assert.is.not(labs[0].id, labs[1].id);
    const wans = await Promise.all(
      labs.map(async (lab) => (await (await lab.client(1).tcp({ address: '203.0.113.10' })).send()).wan),
    );
    assert.equal(wans, [1, 2]);
    assert.is(namespacesOf(labs[0].id).length, 6);
    assert.is(namespacesOf(labs[1].id).length, 7);
    const sleeper = labs[0].router.spawn('sleep', ['1000']);
    await labs[0].close();
    assert.equal(namespacesOf(labs[0].id), []);
    assert.not.ok(isRunning(sleeper.pid!));
    const flow = await labs[1].client(2).udp({ address: '203.0.113.10' });
    assert.is((await flow.send()).wan, 2);
  } finally {
    for (const lab of labs) await lab.close();
    for (const lab of labs) await lab.close();
  }
  for (const { id } of labs) assert.equal(namespacesOf(id), []);
});

test('what cannot be built leaves nothing, and says what failed', async () => {
  const before = readdirSync('/run/netns').filter((name) => name.startsWith(`rslab-${process.pid}-`));
  const wrong = buildLab({ sets: [], rules: [{ family: 'ipv4', set: 'no_such_set', wan: 1 }] });
  const error = await wrong.then(
    () => undefined,
    (reason) => reason,
  );
  assert.instance(error, LabError);
  assert.match(error.message, 'no_such_set');
  const after = readdirSync('/run/netns').filter((name) => name.startsWith(`rslab-${process.pid}-`));
  assert.equal(after, before);
});

test('the next laboratory removes what a killed process left', async () => {
  const { child, id, inside } = await startBuilder();
  const neighbour = await startBuilder();
  try {
    const gone = ended(child);
    child.kill('SIGKILL');
    await gone;
    assert.is(namespacesOf(id).length, 6);
    assert.ok(isRunning(inside));
    await (await buildLab()).close();
    assert.equal(namespacesOf(id), []);
    await waitUntil('the process inside has ended', () => !isRunning(inside));
    assert.is(namespacesOf(neighbour.id).length, 6);
    assert.ok(isRunning(neighbour.inside));
  } finally {
    const gone = ended(neighbour.child);
    neighbour.child.kill('SIGTERM');
    await gone;
  }
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} takes the laboratory along`, async () => {
    const { child, id, inside } = await startBuilder();
    const gone = ended(child);
    child.kill(signal);
    assert.equal(await gone, { code });
    assert.equal(namespacesOf(id), []);
    await waitUntil('the process inside has ended', () => !isRunning(inside));
  });
}

test('from a single minified file and without root it stands in a user namespace', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'resteer-lab-'));
  try {
    const outfile = join(folder, 'lab.cjs');
    await build({
      entryPoints: [program],
      bundle: true,
      outfile,
      format: 'cjs',
      platform: 'node',
      target: 'node18.20',
      minify: true,
    });
    chmodSync(folder, 0o755);
    const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
    const done = spawnSync('setpriv', [...asNobody, process.execPath, outfile, 'without-root'], {
      encoding: 'utf8',
      cwd: '/',
    });
    if (forbidsUserNamespaces()) {
      assert.match(
        done.stderr,
        /^resteer: privileges: .* this machine forbids user namespaces \(.*sysctl -w/,
      );
      return;
    }
    assert.is(done.status, 0, done.stderr);
    const { id, wans } = JSON.parse(done.stdout);
    assert.equal(wans, [1, 2]);
    assert.equal(namespacesOf(id), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
