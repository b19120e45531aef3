import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { differenceIds } from '../parity/conntrack/differences.ts';

test('every intended difference has its reason in docs/differences.md, and nothing else stands there', () => {
  const text = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## conntrack'));
  const documented = [...section.matchAll(/^### `([a-z-]+)`/gm)].map(([, id]) => id);
  const notInTable = ['load-file', 'reader-gone', 'delete-gone', 'overrun', 'expect-protocol'];
  assert.equal(
    documented.filter((id) => !notInTable.includes(id!)),
    [...differenceIds],
  );
});

test.run();
