// run: timeout=400
/** `resteer demo` as its users start it: to its end, without root, and interrupted. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { requireLab } from '../support/daemonLab.ts';

requireLab(import.meta.url);

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const command = [process.execPath, ...process.execArgv, main, 'demo'];

interface Demo {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
  /** Resolves when a line is printed that pleases. */
  line(pattern: RegExp): Promise<void>;
}

function startDemo([program, ...args]: readonly string[]): Demo {
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  const listeners = new Set<(line: string) => void>();
  createInterface({ input: child.stdout! }).on('line', (line) => {
    out += `${line}\n`;
    for (const listen of listeners) listen(line);
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out, err })),
  );
  const line = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      listeners.add((text) => pattern.test(text) && resolve());
      ended.then(() => reject(new Error(`it ended before ${pattern}: ${out}${err}`)));
    });
  return { child, ended, line };
}

/** The namespaces of a process's laboratories. */
function namespacesOf(pid: number): string[] {
  if (!existsSync('/run/netns')) return [];
  return readdirSync('/run/netns').filter((name) => name.startsWith(`rslab-${pid}-`));
}

const steps = [
  /^ +\d+\.\d{3} s {2}lab +built: /,
  /resteer +runs on the router; its first sweep took \d+ ms$/,
  /client2 +tcp 203\.0\.113\.12: its address is in app_1\.v4 already, it leaves by wanb, where it belongs$/,
  /client2 +tcp 203\.0\.113\.13: its address is in no set, it leaves by wan, where it belongs$/,
  ...['tcp 203\\.0\\.113\\.10', 'udp 203\\.0\\.113\\.11', 'tcp 2001:db8:113::10'].flatMap((flow) => [
    new RegExp(`client1 +${flow}: a flow begins; no set holds its address yet, it leaves by wan$`),
    new RegExp(`dpi +${flow}: recognised; `),
    new RegExp(`resteer +${flow}: on wan, expected on wanb: entry deleted$`),
    new RegExp(
      `client1 +${flow}: (${flow.startsWith('tcp') ? 'got a TCP reset and connected again' : 'goes on with its next packet, from the same port'}), by wanb$`,
    ),
    new RegExp(`resteer +${flow}: moved from wan to wanb, \\d+ ms after the reset$`),
  ]),
  /client2 +tcp 203\.0\.113\.12: untouched, the same connection, still by wanb$/,
  /client2 +tcp 203\.0\.113\.13: untouched, the same connection, still by wan$/,
  /resteer +stopped: \d+ new flows seen, 3 reset, 3 moved, 0 returned$/,
  /lab +removed$/,
];

function checkStory(out: string): void {
  const lines = out.trimEnd().split('\n');
  assert.is(lines.length, steps.length, out);
  for (const [index, pattern] of steps.entries()) assert.match(lines[index]!, pattern);
}

test('it shows each step, and leaves nothing behind', async () => {
  const demo = startDemo(command);
  const { code, out, err } = await demo.ended;
  assert.is(code, 0, err);
  assert.is(err, '');
  checkStory(out);
  assert.equal(namespacesOf(demo.child.pid!), []);
});

test('without root, in a user namespace', async () => {
  const unprivileged = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
  const succeeds = (...args: string[]) => {
    const [program, ...rest] = [...unprivileged, ...args];
    return spawnSync(program!, rest).status === 0;
  };
  if (!succeeds(...command.slice(0, -1), '--version')) {
    console.log('SKIP demo.test.ts without root: nobody else may read this folder');
    return;
  }
  const { code, out, err } = await startDemo([...unprivileged, ...command]).ended;
  if (succeeds('unshare', '--user', '--map-root-user', 'true')) {
    assert.is(code, 0, err);
    checkStory(out);
  } else {
    assert.is(code, 3);
    assert.match(err, /^resteer: privileges: .*run it as root/);
  }
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} in the middle removes what was built`, async () => {
    const demo = startDemo(command);
    await demo.line(/resteer +runs on the router/);
    const { pid } = demo.child;
    assert.ok(namespacesOf(pid!).length > 0);
    demo.child.kill(signal);
    const { code, err } = await demo.ended;
    assert.is(code, 128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal]);
    assert.is(err, '');
    assert.equal(namespacesOf(pid!), []);
  });
}

test.run();
