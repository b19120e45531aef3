/** The control socket against clients of every kind: answers in order, and nothing that they send is fatal. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { askDaemon } from '../../src/daemon/controlClient.ts';
import { type ControlAnswer, type ControlHandler, ControlServer } from '../../src/daemon/controlServer.ts';
import { until } from '../support/waiting.ts';

interface Context {
  folder: string;
  path: string;
  server: ControlServer;
  /** Lets the command 'wait' go on. */
  release: () => void;
}

const test = suite<Context>('control socket');

function handlers(context: Context): Record<string, ControlHandler> {
  return {
    status: () => ({ state: 'running' }),
    echo: (request) => request.value,
    nothing: () => {},
    fail: () => {
      throw new Error('it cannot be done');
    },
    wait: () => new Promise<string>((resolve) => (context.release = () => resolve('waited'))),
  };
}

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'resteer-control-'));
  context.path = join(context.folder, 'socket');
  context.release = () => {};
  context.server = await ControlServer.open(context.path, handlers(context));
});

test.after.each(async (context) => {
  await context.server.close();
  rmSync(context.folder, { recursive: true });
});

/** Everything that the server says to these bytes, until it closes; `end` says that no more will come. */
function converse(path: string, text: string | Uint8Array, { end = true } = {}): Promise<ControlAnswer[]> {
  return new Promise((resolve) => {
    let answer = '';
    const client = connect({ path, allowHalfOpen: true }, () =>
      end ? client.end(text) : client.write(text),
    );
    client.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    // what it has not read of ours is no news
    client.on('error', () => {});
    client.on('close', () =>
      resolve(
        answer
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
      ),
    );
    client.on('end', () => client.end());
  });
}

const rejection = (promise: Promise<unknown>): Promise<Error & { code?: string }> =>
  promise.then(
    () => assert.unreachable('it was not refused'),
    (error) => error,
  );

test('a request has one answer, many have as many, in order', async ({ path }) => {
  const lines = [3, 1, 2].map((value) => JSON.stringify({ command: 'echo', value }));
  assert.equal(await converse(path, `${lines.join('\n')}\n`), [
    { ok: true, result: 3 },
    { ok: true, result: 1 },
    { ok: true, result: 2 },
  ]);
});

test('the last line needs no end, empty lines are passed over, and a line may come byte by byte', async ({
  path,
}) => {
  assert.equal(await converse(path, '\n \r\n{"command":"status"}'), [
    { ok: true, result: { state: 'running' } },
  ]);
  const client = connect(path);
  const answered = new Promise((resolve) => client.once('data', (chunk) => resolve(String(chunk))));
  for (const byte of '{"command":"echo","value":"é"}\n') {
    await new Promise((resolve) => client.write(byte, resolve));
  }
  assert.is(await answered, '{"ok":true,"result":"é"}\n');
  client.destroy();
});

test('a slow answer reaches who has closed its own side long ago', async (context) => {
  const answers = converse(context.path, '{"command":"wait"}\n');
  let isWaiting = false;
  await until('the command runs', () => {
    context.release();
    answers.then(() => (isWaiting = true));
    return isWaiting;
  });
  assert.equal(await answers, [{ ok: true, result: 'waited' }]);
});

test('bad requests are answered, and the next good one too', async ({ path }) => {
  const bad: [string, RegExp][] = [
    ['garbage', /^the request is not JSON: /],
    ['{"command":', /^the request is not JSON: /],
    ['\u0000\u0001', /^the request is not JSON: /],
    ['null', /^a request is a JSON object such as/],
    ['[]', /^a request is a JSON object such as/],
    ['"status"', /^a request is a JSON object such as/],
    ['{}', /^"command": undefined is none of status, echo, /],
    ['{"command":7}', /^"command": 7 is none of /],
    ['{"command":"reboot"}', /^"command": "reboot" is none of /],
    ['{"command":"constructor"}', /^"command": "constructor" is none of /],
    ['{"command":"__proto__"}', /^"command": "__proto__" is none of /],
    ['{"command":"fail"}', /^it cannot be done$/],
  ];
  const text = [...bad.map(([line]) => line), '{"command":"status"}', ''].join('\n');
  const answers = await converse(path, text);
  assert.is(answers.length, bad.length + 1);
  bad.forEach(([line, error], index) => {
    const answer = answers[index]!;
    assert.is(answer.ok, false, line);
    assert.match((answer as { error: string }).error, error);
  });
  assert.equal(answers.at(-1), { ok: true, result: { state: 'running' } });
});

test('bytes that are no UTF-8 are answered', async ({ path }) => {
  const [answer] = await converse(path, Uint8Array.of(0xff, 0xfe, 0xc0, 0x0a));
  assert.is(answer?.ok, false);
});

test('a line without an end is cut off with a word', async ({ path }) => {
  const answers = await converse(path, `${'x'.repeat(1 << 20)}`, { end: false });
  assert.equal(answers, [{ ok: false, error: 'a request has at most 65536 characters' }]);
  assert.equal(await askDaemon(path, { command: 'status' }), { state: 'running' });
});

test('a client that asks and never reads is not read from either', async ({ path }) => {
  const client = connect(path);
  client.pause();
  const line = `${JSON.stringify({ command: 'echo', value: 'x'.repeat(30_000) })}\n`;
  let isFull = false;
  await until('its requests are taken no more', () => {
    isFull = !client.write(line) && client.writableLength > 4 << 20;
    return isFull;
  });
  assert.equal(await askDaemon(path, { command: 'status' }), { state: 'running' });
  client.destroy();
});

test('many clients, some of which leave in the middle of a line, disturb nobody', async ({ path }) => {
  const leavers: Socket[] = [];
  for (let i = 0; i < 100; i++) {
    const client = connect(path, () => {
      client.write(i % 2 ? '{"command":"sta' : '{"command":"status"}\n');
      client.destroy();
    });
    client.on('error', () => {});
    leavers.push(client);
  }
  await until('they are gone', () => leavers.every(({ closed }) => closed));
  for (let i = 0; i < 20; i++)
    assert.equal(await askDaemon(path, { command: 'status' }), { state: 'running' });
});

test('it is for its owner alone, and its file goes with it', async ({ path, server }) => {
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.ok(statSync(path).isSocket());
  await server.close();
  assert.is(existsSync(path), false);
});

test('the mask of the process is as it was', async ({ folder }) => {
  const before = process.umask();
  const other = await ControlServer.open(join(folder, 'other'), {});
  assert.is(process.umask(), before);
  await other.close();
});

test('a second instance is told that there is a first, which goes on', async ({ path }) => {
  const error = await rejection(ControlServer.open(path, {}));
  assert.is(error.code, 'EADDRINUSE');
  assert.match(error.message, /another resteer listens on .*: stop it first/);
  assert.equal(await askDaemon(path, { command: 'status' }), { state: 'running' });
});

test('a socket that a killed process left is replaced', async ({ folder }) => {
  const path = join(folder, 'stale');
  await leaveBehind(path);
  const server = await ControlServer.open(path, { status: () => 'new' });
  assert.is(await askDaemon(path, { command: 'status' }), 'new');
  await server.close();
});

test('a file that is no socket stays as it is', async ({ folder }) => {
  const path = join(folder, 'file');
  writeFileSync(path, 'precious');
  const error = await rejection(ControlServer.open(path, {}));
  assert.is(error.code, 'EEXIST');
  assert.match(error.message, /is no socket: remove it, or name another with --control/);
  assert.ok(statSync(path).isFile());
});

test('a place where none can be made is told with its name', async ({ folder }) => {
  const missing = join(folder, 'none', 'socket');
  const error = await rejection(ControlServer.open(missing, {}));
  assert.is(error.name, 'ControlError');
  assert.match(error.message, missing);
  const long = join(folder, 'x'.repeat(100));
  assert.is((await rejection(ControlServer.open(long, {}))).code, 'ENAMETOOLONG');
});

test('the client says what is wrong, and what to do', async ({ path, folder }) => {
  const nobody = join(folder, 'nobody');
  assert.match(
    (await rejection(askDaemon(nobody, {}))).message,
    /no resteer is running there: start it with/,
  );
  const stale = join(folder, 'stale');
  await leaveBehind(stale);
  assert.match((await rejection(askDaemon(stale, {}))).message, /no resteer is running there/);
  assert.is((await rejection(askDaemon(path, { command: 'fail' }))).message, 'it cannot be done');
  assert.is(await askDaemon(path, { command: 'nothing' }), undefined);
});

test('the client survives what is no resteer', async ({ folder }) => {
  for (const [name, says, message] of [
    ['rude', 'HTTP/1.1 400 Bad Request\n', /what listens there is no resteer/],
    ['null', 'null\n', /what listens there is no resteer/],
    ['silent', '', /closed without an answer/],
  ] as const) {
    const path = join(folder, name);
    const server: Server = createServer((client) => client.resume().end(says)).listen(path);
    await until('it listens', () => server.listening);
    assert.match((await rejection(askDaemon(path, { command: 'status' }))).message, message);
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A socket's file without its process: a listener in another process that was killed. */
async function leaveBehind(path: string): Promise<void> {
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log())`;
  const child = spawn(process.execPath, ['--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  assert.ok(existsSync(path));
}

test.run();
