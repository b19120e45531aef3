// A sample of the table that `npm run parity` goes through: the real conntrack and ours side by side.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compare } from '../parity/compare.ts';
import { conntrackTool } from '../parity/conntrack/tool.ts';
import { hasCommand, skipFile } from '../support/namespace.ts';

if (process.getuid?.() !== 0) skipFile(import.meta.url, 'network namespaces need root');
if (!hasCommand('conntrack')) skipFile(import.meta.url, 'no `conntrack` command (Debian package conntrack)');

/** Every so manieth line; the number shares no divisor with the lengths of the generated groups. */
const EVERY = 7;

test('command lines do what the real program does, but for the intended differences', async () => {
  const cases = conntrackTool.cases().filter(({ differs }, index) => differs || index % EVERY === 0);
  const report = await compare(conntrackTool, cases);
  assert.equal(report.failures, []);
  assert.ok(report.same > 200, `${report.same} are the same`);
});

test.run();
