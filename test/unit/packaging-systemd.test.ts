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

test('the service has one capability and is not root', () => {
  const unit = read('resteer.service');
  for (const key of ['AmbientCapabilities', 'CapabilityBoundingSet']) {
    assert.equal(valuesOf(unit, key), ['CAP_NET_ADMIN']);
  }
  assert.equal(valuesOf(unit, 'DynamicUser'), ['yes']);
  assert.equal(valuesOf(unit, 'NoNewPrivileges'), ['yes']);
});

test('exit codes that a restart cannot mend are those of wrong usage and missing privileges', () => {
  assert.equal(valuesOf(read('resteer.service'), 'RestartPreventExitStatus'), ['2 3']);
});

test.run();
