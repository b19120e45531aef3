/** Runs every TypeScript example of the README against the built library, in a namespace of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { insideNamespace } from '../support/namespace.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What each example prints, in order of the README; nothing where the table is empty. */
const expected: readonly (string | RegExp)[] = [
  '',
  '',
  '',
  /^true\nencode .*2001:db8::1 is an IPv6 address/,
  'IPCTNL_MSG_CT_GET\n',
  'absent\n',
];

await insideNamespace(import.meta.url, () => {
  const readme = readFileSync(`${root}/README.md`, 'utf8');
  const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
  // within the package's folder, 'resteer/ctnetlink' is what a user's import of it would be
  const folder = `${root}/dist/examples-${process.pid}`;
  test.before(() => void mkdirSync(folder, { recursive: true }));
  test.after(() => rmSync(folder, { recursive: true, force: true }));

  test('there is an expectation for every example', () => assert.is(examples.length, expected.length));

  examples.forEach((example, index) => {
    test(`example ${index + 1} runs: ${example.split('\n')[0]}`, () => {
      const file = `${folder}/example${index}.mjs`;
      writeFileSync(file, example);
      const run = spawnSync(process.execPath, ['--no-warnings', file], { encoding: 'utf8', timeout: 30_000 });
      assert.is(run.stderr, '');
      assert.is(run.status, 0);
      const want = expected[index]!;
      if (typeof want === 'string') assert.is(run.stdout, want);
      else assert.match(run.stdout, want);
    });
  });
  test.run();
});
