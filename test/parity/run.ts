/**
 * npm run parity [-- TOOL] [--only TEXT] [--every N]: the real programs and ours side by side, over every
 * command line of the tables. Needs root, for network namespaces, and the real programs.
 */
import { compare, type ParityReport, title } from './compare.ts';
import { sampleOf } from './tool.ts';
import { tools } from './tools.ts';

const args = process.argv.slice(2);
const optionValue = (option: string) => {
  const at = args.indexOf(option);
  return at < 0 ? undefined : args[at + 1];
};
const only = optionValue('--only');
const every = Number(optionValue('--every') ?? 1);
const wanted = args[0]?.startsWith('--') ? undefined : args[0];
if ((wanted !== undefined && !(wanted in tools)) || !(every >= 1)) {
  console.error(`usage: npm run parity [-- ${Object.keys(tools).join('|')}] [--only TEXT] [--every N]`);
  process.exit(2);
}

function print(name: string, { cases, same, intended, failures }: ParityReport, seconds: number): void {
  const differing = [...intended.values()].reduce((sum, count) => sum + count, 0);
  for (const failure of failures) console.log(`${failure}\n`);
  console.log(
    `${name}: ${cases} command lines in ${seconds.toFixed(0)} s: ${same} the same, ` +
      `${differing} differ as intended, ${failures.length} differ`,
  );
}

for (const load of Object.entries(tools)) {
  const [name, importTool] = load;
  if (wanted !== undefined && wanted !== name) continue;
  const tool = await importTool();
  const matching = sampleOf(tool.cases(), (each) => only === undefined || title(tool, each).includes(only));
  const cases = sampleOf(matching, (_, index) => index % every === 0);
  const begin = performance.now();
  const report = await compare(tool, cases);
  print(name, report, (performance.now() - begin) / 1000);
  if (report.failures.length > 0) process.exitCode = 1;
}
