import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULT_SETTINGS, readSettings } from '../../src/daemon/mwan3/settings.ts';
import { decodeUci } from '../../src/daemon/mwan3/uci.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const packaged = (path: string) => read(`packaging/openwrt/files/${path}`);
const defaults = packaged('etc/config/resteer');

test('the configuration as it is installed says what holds without one', () => {
  assert.equal(readSettings(decodeUci('resteer', defaults)), DEFAULT_SETTINGS);
});

test('the values that are commented out are the defaults, and the exemptions are right', () => {
  const active = defaults.replace(/^\t#(option|list) /gm, '\t$1 ');
  const { exemptDestinations, exemptSources, exemptPorts, exemptSets, ...settings } = readSettings(
    decodeUci('resteer', active),
  );
  const exemptions = [exemptDestinations, exemptSources, exemptPorts, exemptSets];
  assert.equal(
    exemptions.map(({ length }) => length),
    [1, 1, 1, 1],
  );
  assert.equal({ ...DEFAULT_SETTINGS, ...settings }, DEFAULT_SETTINGS);
});

test('every option that there is stands in the configuration', () => {
  const options = /const entries\b[^{]*\{\n(.*?)\n\};/s.exec(read('src/daemon/mwan3/settings.ts'))![1]!;
  const known = [...options.matchAll(/^ {2}(\w+): \{ key:/gm)].map(([, name]) => name).sort();
  assert.ok(known.length > 10);
  const shown = new Set([...defaults.matchAll(/^\t#?(?:option|list) (\w+) /gm)].map(([, name]) => name));
  assert.equal([...shown].sort(), known);
});

test('the package has the version of the program', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  assert.match(read('packaging/openwrt/Makefile'), new RegExp(`^PKG_VERSION:=${version}$`, 'm'));
});

test('what is kept over an upgrade is the configuration', () => {
  assert.is(packaged('lib/upgrade/keep.d/resteer'), '/etc/config/resteer\n');
  assert.match(
    read('packaging/openwrt/Makefile'),
    'define Package/resteer/conffiles\n/etc/config/resteer\nendef',
  );
});

test.run();
