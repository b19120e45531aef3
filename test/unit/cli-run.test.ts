import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CliError, explainError, usageError } from '../../src/cli/errors.ts';
import { wantsColour, write } from '../../src/cli/io.ts';
import { ConfigError } from '../../src/daemon/config/configError.ts';
import { ControlError } from '../../src/daemon/controlServer.ts';
import { LabError } from '../../src/lab/index.ts';
import { DecodeError, KernelError, TimeoutError, TransportError } from '../../src/nfnetlink/errors.ts';
import { captureIo, runCli } from '../support/captureIo.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

test('--version prints the version of the package', async () => {
  for (const option of ['--version', '-V']) {
    assert.equal(await runCli([option]), { exitCode: 0, out: `${version}\n`, err: '' });
  }
});

test('--help names every command, and every command has help with examples', async () => {
  const { exitCode, out, err } = await runCli(['--help']);
  assert.is(exitCode, 0);
  assert.is(err, '');
  const commands = [...out.matchAll(/^ {2}(\w+) .*/gm)]
    .map(([, name]) => name!)
    // the programs that resteer stands for have help of their own
    .filter((name) => !['help', 'conntrack', 'ipset'].includes(name));
  assert.ok(commands.includes('decode') && commands.includes('doctor'));
  for (const command of commands) {
    const help = await runCli([command, '--help']);
    assert.is(help.exitCode, 0);
    assert.match(help.out, `Usage: resteer ${command}`);
    assert.match(help.out, /Examples:\n {2}\S/);
    assert.equal(await runCli(['help', command]), help);
  }
});

test('without a command the help is on standard error and the usage is wrong', async () => {
  const { exitCode, out, err } = await runCli([]);
  assert.is(exitCode, 2);
  assert.is(out, '');
  assert.match(err, /^Usage: resteer/);
});

test('wrong usage is one line with what, why and what to do, and exit code 2', async () => {
  const cases: [string[], string][] = [
    [['decod'], "resteer: usage: unknown command 'decod': did you mean decode? see resteer --help\n"],
    [['frobnicate'], "resteer: usage: unknown command 'frobnicate': see resteer --help\n"],
    [['--jsn'], "resteer: usage: unknown option '--jsn': see resteer --help\n"],
    [
      ['decode', '--jsn'],
      "resteer: decode: unknown option '--jsn': did you mean --json? see resteer decode --help\n",
    ],
    [
      ['doctor', 'now'],
      'resteer: doctor: too many arguments: 1 where 0 are expected: see resteer doctor --help\n',
    ],
  ];
  for (const [argv, line] of cases) {
    assert.equal(await runCli(argv), { exitCode: 2, out: '', err: line }, argv.join(' '));
  }
});

test('an error of any layer becomes one line and an exit code', () => {
  const refusal = { errno: 1, code: 'EPERM', command: 'IPCTNL_MSG_CT_GET', seq: 1 };
  const refused = new KernelError(refusal);
  const cases: [unknown, number, RegExp][] = [
    [new CliError('decode', 'no', 'do so'), 1, /^resteer: decode: no: do so$/],
    [usageError('x', 'y'), 2, /^resteer: x: y$/],
    [refused, 3, /^resteer: IPCTNL_MSG_CT_GET: not permitted: .*CAP_NET_ADMIN.*: run it as root$/],
    [
      new KernelError({ ...refusal, meaning: 'CAP_NET_ADMIN is needed; or the timeout is fixed' }),
      3,
      /^resteer: IPCTNL_MSG_CT_GET: EPERM: CAP_NET_ADMIN is needed; or the timeout is fixed$/,
    ],
    [new TransportError('setsockopt', 'EPERM'), 3, /^resteer: setsockopt: not permitted: .*CAP_NET_ADMIN/],
    [new TransportError('sendto', 'EMSGSIZE'), 1, /^resteer: sendto: EMSGSIZE$/],
    [new TimeoutError('IPSET_CMD_LIST', 5000), 1, /^resteer: IPSET_CMD_LIST: no answer within 5000 ms$/],
    [new DecodeError('too short', 4), 1, /^resteer: too short \(byte 4\)$/],
    [
      Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open', path: '/a' }),
      1,
      /^resteer: \/a: no such file or folder: /,
    ],
    [
      new TypeError('x is not a function'),
      1,
      /^resteer: this is a fault of resteer, please report it: TypeError/,
    ],
    [new ConfigError('/c.json', ['is empty']), 2, /^resteer: \/c\.json: is empty$/],
    [new ConfigError('/c', ['a', 'b']), 2, /^resteer: \/c: a\nresteer: \/c: b$/],
    [new ControlError('ENOENT', '/s: none runs'), 1, /^resteer: control socket: \/s: none runs$/],
    [new ControlError('EACCES', '/s: not permitted'), 3, /^resteer: control socket: \/s: not permitted$/],
    [new LabError('ip', 'it failed', 'install it'), 1, /^resteer: ip: it failed: install it$/],
    ['text', 1, /^resteer: text$/],
  ];
  for (const [error, exitCode, text] of cases) {
    const explained = explainError(error);
    assert.is(explained.exitCode, exitCode, String(error));
    assert.match(explained.text, text);
  }
});

test('an error of another copy of the library is told by its kind', () => {
  const foreign = Object.assign(new Error('sendto: EPERM'), {
    kind: 'transport',
    syscall: 'sendto',
    code: 'EPERM',
  });
  assert.is(explainError(foreign).exitCode, 3);
});

test('colour is for terminals whose owner did not decline it', () => {
  assert.is(wantsColour(captureIo({ isTTY: true })), true);
  assert.is(wantsColour(captureIo({ isTTY: false })), false);
  assert.is(wantsColour(captureIo({ isTTY: true, env: { NO_COLOR: '1' } })), false);
  assert.is(wantsColour(captureIo({ isTTY: true, env: { NO_COLOR: '' } })), true);
  assert.is(wantsColour(captureIo({ isTTY: true, env: { TERM: 'dumb' } })), false);
});

test('writing waits for a slow reader, and for no fast one', async () => {
  let taken = 0;
  const slow = new Writable({
    highWaterMark: 8,
    write(chunk, _encoding, done) {
      taken += chunk.length;
      setImmediate(done);
    },
  });
  assert.is(write(slow, 'x'), undefined);
  const waited = write(slow, 'xxxxxxxx');
  assert.instance(waited, Promise);
  await waited;
  assert.is(taken, 9);
});

test('a reader that goes away fails the write', async () => {
  const gone = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })),
  });
  const error = await Promise.resolve(write(gone, 'xx')).catch((reason) => reason);
  assert.is(error.code, 'EPIPE');
});

test.run();
