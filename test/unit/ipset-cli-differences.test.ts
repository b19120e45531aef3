import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { differenceIds } from '../parity/ipset/differences.ts';

test('every intended difference has its reason in docs/differences-ipset.md, and nothing else stands there', () => {
  const text = readFileSync(new URL('../../docs/differences-ipset.md', import.meta.url), 'utf8');
  const shown = text.slice(0, text.indexOf('## Not shown by a single command line'));
  assert.equal(
    [...shown.matchAll(/^### `([a-z-]+)`/gm)].map(([, id]) => id),
    [...differenceIds],
  );
});

test.run();
