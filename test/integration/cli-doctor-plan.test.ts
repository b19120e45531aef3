/** The doctor on a configuration, with the sets, flows and socket of this namespace. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { insideNamespace, sh } from '../support/namespace.ts';

const controlServer = new URL('../../src/daemon/controlServer.ts', import.meta.url).href;
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

await insideNamespace(import.meta.url, () => {
  const folder = mkdtempSync(join(tmpdir(), 'resteer-doctor-'));
  const config = join(folder, 'resteer.json');
  const control = join(folder, 'control');
  const stateFile = join(folder, 'wanb');
  test.after(() => rmSync(folder, { recursive: true }));

  const rules = ['app', 'voip'].map((set) => ({ name: set, set, family: 'ipv4', interfaces: ['wanb'] }));
  const good = {
    markMask: '0x3f00',
    interfaces: { wan: { mark: '0x100' }, wanb: { mark: '0x200', stateFile } },
    rules,
  };

  function examine(value: unknown = good) {
    writeFileSync(config, JSON.stringify(value));
    const own = ['doctor', '--json', '--config', config, '--control', control];
    const done = spawnSync(process.execPath, [...process.execArgv, main, ...own], { encoding: 'utf8' });
    assert.is(done.stderr, '');
    const { checks } = JSON.parse(done.stdout) as { checks: Finding[] };
    return { status: done.status, of: (name: string) => checks.find((check) => check.name === name)! };
  }

  test('nothing is there yet: each thing is named with what makes it', () => {
    const { status, of } = examine();
    assert.is(status, 0);
    assert.is(of('configuration').status, 'ok');
    assert.match(of('sets').found, 'there is no set app');
    assert.is(of('sets').mend, 'ipset create app hash:ip; ipset create voip hash:ip');
    assert.match(of('interface states').found, `${stateFile}: no such file`);
    assert.match(of('rules').found, 'rule app: none of wanb is online');
    assert.is(of('marks').status, 'ok');
    assert.match(of('control socket').found, 'no daemon is running');
  });

  test('sets that are empty or of the wrong family, state files that say something else', () => {
    sh('ipset', 'create', 'app', 'hash:ip');
    sh('ipset', 'create', 'voip', 'hash:ip', 'family', 'inet6');
    writeFileSync(stateFile, 'maybe\n');
    const { of } = examine();
    assert.match(of('sets').found, 'set app is empty');
    assert.match(of('sets').found, 'voip holds IPv6 addresses, the rule is for ipv4');
    assert.match(of('interface states').found, 'says "maybe"');
  });

  test('flows with a mark of no interface are counted', () => {
    const flows: [string, string][] = [
      ['1', '0x300'],
      ['2', '0x300'],
      ['3', '0x501ff'],
    ];
    for (const [port, mark] of flows) {
      const tuple = ['-s', '10.0.0.1', '-d', '10.0.0.2', '-p', 'udp', '--sport', port, '--dport', '9'];
      sh('conntrack', '-I', ...tuple, '-t', '60', '-m', mark);
    }
    const marks = examine().of('marks');
    assert.is(marks.status, 'warn');
    assert.match(marks.found, 'no interface has 0x300 on 2 flows (mask 0x3f00, 3 flows)');
  });

  test('all of it mended', () => {
    sh('conntrack', '-F');
    sh('ipset', 'destroy', 'voip');
    sh('ipset', 'create', 'voip', 'hash:ip');
    for (const set of ['app', 'voip']) sh('ipset', 'add', set, '203.0.113.10');
    writeFileSync(stateFile, 'online\n');
    const { of } = examine();
    for (const name of ['configuration', 'interface states', 'sets', 'rules', 'marks', 'control socket']) {
      assert.is(of(name).status, 'ok', `${name}: ${of(name).found}`);
    }
  });

  test('a configuration with faults is a failure', () => {
    const { status, of } = examine({ ...good, rules: [{ set: 'app', interfaces: ['wanx'] }] });
    assert.is(status, 2);
    assert.is(of('configuration').status, 'fail');
    assert.match(of('configuration').found, 'rules[0].interfaces[0]: "wanx" is not an interface');
    assert.is(of('sets'), undefined);
  });

  test('a socket that others may write to', async () => {
    // a process of its own, since examine() holds this one up
    const daemon = `import { ControlServer } from ${JSON.stringify(controlServer)};
await ControlServer.open(${JSON.stringify(control)}, { status: () => 1 });
console.log('open');`;
    const child = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', daemon], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      assert.match(examine().of('control socket').found, 'a daemon answers');
      chmodSync(control, 0o666);
      const { status, mend } = examine().of('control socket');
      assert.is(status, 'warn');
      assert.is(mend, `chmod 600 ${control}`);
    } finally {
      child.kill();
    }
  });

  test.run();
});
