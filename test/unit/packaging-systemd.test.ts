import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CONNECTED_GROUPS } from '../../src/daemon/connectedNetworks.ts';
import { NFNLGRP } from '../../src/nfnetlink/constants.ts';

const folder = fileURLToPath(new URL('../../packaging/systemd', import.meta.url));
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const valuesOf = (unit: string, key: string) =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value);
const maskOf = (groups: readonly number[]) => groups.reduce((mask, group) => mask | (1 << (group - 1)), 0);

test('the sockets with groups are those of the daemon', () => {
  const listed = valuesOf(read('resteer.socket'), 'ListenNetlink').filter((value) => value?.includes(' '));
  const expected = [`netfilter ${maskOf([NFNLGRP.CONNTRACK_NEW])}`, `route ${maskOf(CONNECTED_GROUPS)}`];
  assert.equal(listed, expected);
});

for (const service of ['resteer.service', 'resteer-report.service']) {
  test(`${service} has one capability and is not root`, () => {
    const unit = read(service);
    for (const key of ['AmbientCapabilities', 'CapabilityBoundingSet']) {
      assert.equal(valuesOf(unit, key), ['CAP_NET_ADMIN']);
    }
    assert.equal(valuesOf(unit, 'DynamicUser'), ['yes']);
    assert.equal(valuesOf(unit, 'NoNewPrivileges'), ['yes']);
  });

  test(`${service}: exit codes that a restart cannot mend are those of wrong usage and missing privileges`, () => {
    assert.equal(valuesOf(read(service), 'RestartPreventExitStatus'), ['2 3']);
  });
}

test('the report of the service writes where the service may, and what it reads again', () => {
  const unit = read('resteer-report.service');
  const [command] = valuesOf(unit, 'ExecStart');
  const args = command!.split(' ').slice(1);
  assert.equal(args, [
    'report',
    '--format',
    'json',
    '--output',
    '/var/lib/resteer-report/flows.json',
    '--resume',
  ]);
  assert.equal(valuesOf(unit, 'StateDirectory'), ['resteer-report']);
});

test.run();
