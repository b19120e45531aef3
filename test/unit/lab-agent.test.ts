import { spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type AgentRequest, agentSource } from '../../src/lab/agent.ts';

type Answer = { id: number; value?: Record<string, unknown>; error?: { code: string; message: string } };

/** The agent in a process of its own, as the laboratory starts it. */
function startAgent(source: string) {
  const child = spawn(process.execPath, ['--input-type=commonjs', '--eval', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let id = 0;
  return {
    async ask(request: AgentRequest): Promise<Answer> {
      id += 1;
      child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      const answer = JSON.parse((await answers.next()).value ?? '{}') as Answer;
      assert.is(answer.id, id);
      return answer;
    },
    stop() {
      child.stdin.end();
      return ended;
    },
  };
}

/** A server whose doings the test decides: `answer` gets each line with the connection's number, from 1. */
async function startServer(answer: (line: string, socket: Socket, connection: number) => void) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    socket.on('error', () => {});
    createInterface({ input: socket })
      .on('error', () => {})
      .on('line', (line) => answer(line, socket, connection));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as { port: number }).port, close: () => server.close() };
}

const connect = (port: number, reconnect: boolean): AgentRequest => ({
  do: 'connect',
  flow: 1,
  protocol: 'tcp',
  address: '127.0.0.1',
  port,
  reconnect,
  timeoutMs: 5000,
});
const send = (text: string, timeoutMs = 5000): AgentRequest => ({ do: 'send', flow: 1, text, timeoutMs });

const echo = (line: string, socket: Socket) =>
  socket.write(`${JSON.stringify({ ...JSON.parse(line), peerPort: socket.remotePort })}\n`);

async function bundledSource(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/lab/agent.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node18.20',
    minify: true,
  });
  const script = `const module = { exports: {} };${outputFiles[0]!.text};process.stdout.write(module.exports.agentSource)`;
  const child = spawn(process.execPath, ['--input-type=commonjs', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
  return text;
}

for (const [name, source] of [
  ['from the sources', async () => agentSource],
  ['from a minified file', bundledSource],
] as const) {
  test(`${name}: the text stands alone, and ends with its input`, async () => {
    const server = await startServer(echo);
    const agent = startAgent(await source());
    const connected = await agent.ask(connect(server.port, true));
    const { value } = await agent.ask(send('words'));
    assert.is(value!.text, 'words');
    assert.is(value!.peerPort, connected.value!.localPort);
    assert.is(value!.connections, 1);
    assert.equal((await agent.ask({ do: 'close', flow: 1 })).value, {});
    assert.is((await agent.ask(send('late'))).error!.code, 'ENOENT');
    server.close();
    assert.is(await agent.stop(), 0);
  });
}

test('after a reset the agent connects again from the same port and repeats what has no answer', async () => {
  const server = await startServer((line, socket, connection) =>
    connection === 1 ? socket.resetAndDestroy() : echo(line, socket),
  );
  const agent = startAgent(agentSource);
  const { localPort } = (await agent.ask(connect(server.port, true))).value!;
  const { value } = await agent.ask(send('again'));
  assert.equal(
    { text: value!.text, resets: value!.resets, connections: value!.connections, peerPort: value!.peerPort },
    { text: 'again', resets: 1, connections: 2, peerPort: localPort },
  );
  await agent.ask({ do: 'close', flow: 1 });
  server.close();
  assert.is(await agent.stop(), 0);
});

test('without that it says so, now and for every later line', async () => {
  const server = await startServer((_, socket) => socket.resetAndDestroy());
  const agent = startAgent(agentSource);
  await agent.ask(connect(server.port, false));
  assert.is((await agent.ask(send('once'))).error!.code, 'ECONNRESET');
  assert.is((await agent.ask(send('twice'))).error!.code, 'ECONNRESET');
  server.close();
  assert.is(await agent.stop(), 0);
});

test('silence is an error after the time limit, and the flow lives on', async () => {
  let isSilent = true;
  const server = await startServer((line, socket) => {
    if (!isSilent) echo(line, socket);
  });
  const agent = startAgent(agentSource);
  await agent.ask(connect(server.port, true));
  assert.is((await agent.ask(send('nobody', 50))).error!.code, 'ETIMEDOUT');
  isSilent = false;
  assert.is((await agent.ask(send('somebody'))).value!.text, 'somebody');
  await agent.ask({ do: 'close', flow: 1 });
  server.close();
  assert.is(await agent.stop(), 0);
});

test('what cannot connect says why', async () => {
  const server = await startServer(echo);
  server.close();
  const agent = startAgent(agentSource);
  assert.is((await agent.ask(connect(server.port, true))).error!.code, 'ECONNREFUSED');
  assert.is(await agent.stop(), 0);
});

test.run();
