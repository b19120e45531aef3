// A sample of the table that `npm run parity` goes through: the real ipset and ours side by side.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compare } from '../parity/compare.ts';
import { differingLines } from '../parity/ipset/differences.ts';
import { ipsetTool } from '../parity/ipset/tool.ts';
import { type ParityCase, sampleOf } from '../parity/tool.ts';
import { hasCommand, skipFile } from '../support/namespace.ts';

if (process.getuid?.() !== 0) skipFile(import.meta.url, 'network namespaces need root');
if (!hasCommand('ipset')) skipFile(import.meta.url, 'no `ipset` command (Debian package ipset)');

/** Every so manieth round, with the long one of commands; 43 divides no length of a generated group. */
const [EVERY, FIRST] = [43, 20];

test('command lines do what the real program does, but for the intended differences', async () => {
  const isShown = ({ args }: ParityCase) => differingLines().includes(args.join(' '));
  const cases = sampleOf(ipsetTool.cases(), (each, index) => isShown(each) || index % EVERY === FIRST);
  const report = await compare(ipsetTool, cases);
  assert.equal(report.failures, []);
  assert.ok(report.same > 500, `${report.same} are the same`);
});

test.run();
