/** The doctor on this machine's own kernel, with and without what it needs. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { hasCommand, insideNamespace, sh } from '../support/namespace.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Runs `resteer doctor`, perhaps by another program that takes something away from it. */
function doctor(args: readonly string[], by: readonly string[] = [], env: Record<string, string> = {}) {
  const command = [...by, process.execPath, ...process.execArgv, main, 'doctor', ...args];
  const done = spawnSync(command[0]!, command.slice(1), {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (done.error) throw done.error;
  return done;
}

function examine(by: readonly string[] = [], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = doctor(['--json'], by, env);
  assert.is(stderr, '');
  const { checks } = JSON.parse(stdout) as { checks: Finding[] };
  return { status, of: (name: string) => checks.find((check) => check.name === name) };
}

const sysctl = (name: string, value: number) =>
  writeFileSync(`/proc/sys/net/netfilter/nf_conntrack_${name}`, String(value));

const kinds = Number(process.versions.node.split('.')[0]) >= 26 ? ['ffi', 'handle'] : ['handle'];

await insideNamespace(import.meta.url, () => {
  for (const kind of kinds) {
    test(`this kernel has what is needed, over ${kind}`, () => {
      const { status, of } = examine([], { RESTEER_TRANSPORT: kind });
      assert.is(status, 0);
      for (const name of ['operating system', 'Node.js', 'privileges', 'transport', 'ctnetlink', 'ip_set']) {
        assert.is(of(name)?.status, 'ok', name);
      }
      assert.match(of('transport')!.found, kind);
      assert.match(of('ip_set')!.found, /^protocol (6 to )?7$/);
      assert.is(of('tracked flows')!.found, '0');
      assert.is(of('flow offload')!.found, 'no flow is offloaded');
    });
  }

  test('it counts the flows that conntrack made', () => {
    const flow = [
      '-s',
      '10.0.0.1',
      '-d',
      '10.0.0.2',
      '-p',
      'udp',
      '--sport',
      '1',
      '--dport',
      '2',
      '-t',
      '60',
    ];
    sh('conntrack', '-I', ...flow);
    assert.is(examine().of('tracked flows')!.found, '1');
  });

  test('it reads the sysctls, and --strict refuses what they warn of', () => {
    sysctl('tcp_loose', 0);
    sysctl('timestamp', 1);
    const { status, of } = examine();
    assert.is(status, 0);
    assert.match(of('nf_conntrack_tcp_loose')!.found, 'black hole');
    assert.is(of('nf_conntrack_timestamp')!.status, 'ok');
    assert.is(doctor(['--strict']).status, 1);
    sysctl('tcp_loose', 1);
    assert.is(examine().of('nf_conntrack_tcp_loose')!.status, 'ok');
  });

  test('without privileges it says so, and what it can see all the same', () => {
    const dropped = [
      'setpriv',
      '--bounding-set',
      '-all',
      '--inh-caps',
      '-all',
      '--reuid',
      '65534',
      '--clear-groups',
    ];
    const { status, of } = examine(dropped);
    assert.is(status, 2);
    assert.is(of('privileges')!.status, 'fail');
    assert.match(of('ctnetlink')!.found, 'not permitted');
    assert.is(of('nf_conntrack_events')!.status, 'ok');
  });

  const canUnshare = spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0;
  if (canUnshare) {
    test('root of a user namespace that does not own the network namespace is told apart', () => {
      const { status, of } = examine(['unshare', '--user', '--map-root-user']);
      assert.is(status, 2);
      assert.match(of('privileges')!.found, 'refuses it in this network namespace');
      const own = examine(['unshare', '--user', '--map-root-user', '--net']);
      assert.is(own.status, 0);
      assert.match(own.of('privileges')!.found, 'in a user namespace');
    });
  } else {
    console.log('SKIP user namespaces: unshare --user is not permitted here');
  }

  test('a transport that does not exist is a failure with its reason', () => {
    const { status, of } = examine([], { RESTEER_TRANSPORT: 'pigeon' });
    assert.is(status, 2);
    assert.match(of('transport')!.found, '"pigeon" is not a transport');
  });

  test('in a pipe the report is plain text', () => {
    const { stdout } = doctor([]);
    assert.match(stdout, /^ok {4}operating system {2,}linux$/m);
    assert.not.match(stdout, '\x1b');
  });

  if (hasCommand('script')) {
    test('on a terminal it is coloured, unless declined', () => {
      const command = [process.execPath, ...process.execArgv, main, 'doctor'].join(' ');
      const terminal = { TERM: 'xterm', NO_COLOR: '' };
      const onTerminal = (env: Record<string, string>) =>
        spawnSync('script', ['-qec', command, '/dev/null'], {
          encoding: 'utf8',
          env: { ...process.env, ...env },
        }).stdout;
      assert.match(onTerminal(terminal), '\x1b[32mok  \x1b[0m');
      assert.not.match(onTerminal({ ...terminal, NO_COLOR: '1' }), '\x1b[');
    });
  }

  test.run();
});
