import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openHandle } from '../../src/nfnetlink/transport/handle.ts';
import { makePrebuilt } from '../../src/nfnetlink/transport/prebuiltBinding.ts';
import { insideNamespace } from '../support/namespace.ts';

const child = fileURLToPath(new URL('../support/transportChild.ts', import.meta.url));
const hasFfi = Number.parseInt(process.versions.node, 10) >= 26;
const kinds = hasFfi ? ['ffi', 'handle'] : ['handle'];

const settlingChild = `
import { openFfi } from '../../src/nfnetlink/transport/ffi.ts';
const transport = openFfi();
const settled = new Promise((resolve) => transport.onBatch(resolve));
settled.then(() => {
  console.log('settled');
  transport.close();
});
transport.send(Uint8Array.from(Buffer.from('10000000010105000700000000000000', 'hex')));
`;

interface Outcome {
  readonly loaded: string[];
  readonly result: Record<string, unknown>;
  readonly stderr: string;
}

interface ChildOptions {
  readonly env?: Record<string, string>;
  readonly before?: readonly string[];
  readonly descriptors?: readonly number[];
  readonly flags?: readonly string[];
}

/** Runs the child to its own end: an abort, a hang or a non-zero exit code fails the test. */
function run(
  task: string,
  { env = {}, before = [], descriptors = [], flags = [] }: ChildOptions = {},
): Outcome {
  const command = [...before, process.execPath, ...flags, '--import', 'tsx', child, task];
  const done = spawnSync(command[0]!, command.slice(1), {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
  });
  assert.is(done.signal, null, `${task}: ${done.signal}: ${done.stderr}`);
  assert.is(done.status, 0, `${task}: ${done.stderr}`);
  return { ...JSON.parse(done.stdout), stderr: done.stderr };
}

await insideNamespace(import.meta.url, () => {
  test('importing loads nothing native', () => {
    assert.equal(run('importOnly').loaded, []);
  });

  test('describing loads nothing native', () => {
    const { loaded, result } = run('describe');
    assert.equal(loaded, []);
    assert.is(result.kind, hasFfi ? 'ffi' : 'handle');
    assert.is(run('describe', { env: { RESTEER_TRANSPORT: 'handle' } }).result.kind, 'handle');
  });

  test('the choice: ffi where it exists, with nothing native; else one binding', () => {
    const { loaded, result } = run('open');
    assert.is(result.kind, hasFfi ? 'ffi' : 'handle');
    assert.is(loaded.length, hasFfi ? 0 : 1);
    assert.is(result.answer, result.portId);
  });

  test('without node:ffi the handle serves', () => {
    if (!hasFfi) return;
    const { loaded, result, stderr } = run('open', { flags: ['--no-experimental-ffi'] });
    assert.is(result.kind, 'handle');
    assert.is(loaded.length, 1);
    assert.is(stderr, '');
  });

  test('the handle prints no deprecation', () => {
    const { stderr } = run('open', {
      env: { RESTEER_TRANSPORT: 'handle' },
      flags: ['--pending-deprecation'],
    });
    assert.not.match(stderr, 'DEP0111');
  });

  test('three sockets come from one binding', () => {
    const { loaded, result } = run('openThree', { env: { RESTEER_TRANSPORT: 'handle' } });
    assert.is(loaded.length, 1);
    assert.is(new Set(result.portIds as number[]).size, 3);
    assert.equal(result.joins, ['joined', 'joined']);
  });

  test('inherited sockets serve what they are fit for, once, and nothing native is loaded', async () => {
    const descriptors = [makePrebuilt(12), makePrebuilt(12)];
    const sockets = [openHandle(descriptors[0]!, { groups: [1, 3] }), openHandle(descriptors[1]!)];
    const portIds = sockets.map(({ portId }) => portId);
    const before = ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh'];
    const passed = (indices: readonly number[]) => ({
      before,
      descriptors: indices.map((i) => descriptors[i]!.fd),
      env: { LISTEN_FDS: String(indices.length), LISTEN_FDNAMES: 'a:b', RESTEER_TRANSPORT: 'handle' },
    });

    const one = run('open', passed([1]));
    assert.equal(one.loaded, []);
    assert.is(one.result.portId, portIds[1]);
    assert.is(one.result.answer, portIds[1]);

    const three = run('openThree', passed([1, 0]));
    const [events, requests, another] = three.result.portIds as number[];
    assert.is(events, portIds[0]);
    assert.is(requests, portIds[1]);
    assert.not.ok(portIds.includes(another!));
    assert.is(three.loaded.length, 1, 'the third is made');
    assert.equal(three.result.joins, ['joined', 'EOPNOTSUPP']);

    const described = run('describe', passed([1, 0])).result.why as string;
    assert.match(described, 'inherited descriptors 3 (a), 4 (b)');

    const notForUs = run('open', {
      ...passed([1]),
      before: [],
      env: { ...passed([1]).env, LISTEN_PID: '1' },
    });
    assert.is(notForUs.loaded.length, 1);
    assert.is.not(notForUs.result.portId, portIds[1]);
    for (const socket of sockets) await socket.close();
  });

  for (const kind of kinds) {
    const env = { RESTEER_TRANSPORT: kind };

    test(`${kind}: a process ends while a transport reads`, () => {
      run('exitWhileReading', { env });
    });

    test(`${kind}: neither an unref'd nor an unread transport keeps a process alive`, () => {
      run('unref', { env });
      run('openWithoutReading', { env });
    });

    test(`${kind}: joining a group without privileges says what is missing`, () => {
      const before = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
      const { result } = run('joinRefused', { env, before });
      assert.is(result.kind, 'transport');
      assert.is(result.code, 'EPERM');
      assert.match(result.message as string, 'CAP_NET_ADMIN');
      assert.match(result.syscall as string, 'NETLINK_ADD_MEMBERSHIP');
    });
  }

  test('ffi: a promise that a batch settles goes on without another event', async () => {
    if (!hasFfi) return;
    // compiled, because a loader of TypeScript has events of its own that would run the microtasks
    const { outputFiles } = await build({
      stdin: { contents: settlingChild, resolveDir: dirname(child) },
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
    });
    const done = spawnSync(process.execPath, ['--input-type=module'], {
      input: outputFiles[0]!.text,
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.is(done.stdout, 'settled\n', done.stderr);
  });

  test('a worker may end while its ffi transport reads; it gets no prebuilt binding', () => {
    if (!hasFfi) return;
    assert.equal(run('worker', { env: { RESTEER_TRANSPORT: 'ffi' } }).result, { said: 'ffi', code: 0 });
    assert.equal(run('worker', { env: { RESTEER_TRANSPORT: 'handle' } }).result, { said: 'ENOSYS', code: 0 });
  });

  test.run();
});
