// Labels by name, with /etc/xtables/connlabel.conf and without: the real conntrack and ours side by side.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { endAll, isAsleep, listeners, ours, real, start } from '../support/conntrackPrograms.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/waiting.ts';

for (const command of ['conntrack', 'nft', 'unshare']) {
  if (!hasCommand(command)) skipFile(import.meta.url, `no \`${command}\` command`);
}

const NAMES = `# comment
0 zero
1	one
3 three-and-more
42 a&b<c>
0x7e last but one  
0177 last
128 beyond
5
x y
1 again
2 one # more
   7 indented
15nospace
`;

const file = join(temporaryFolder(), 'connlabel.conf');
writeFileSync(file, NAMES);

type Program = typeof ours;

/** The program with an /etc of its own, in which there is that file, or nothing. */
function withLabels(program: Program, hasFile: boolean): Program {
  const script = `unset NODE_EXTRA_CA_CERTS; mount -t tmpfs none /etc && mkdir /etc/xtables && ${
    hasFile ? 'cp "$0" /etc/xtables/connlabel.conf' : 'true'
  } && exec "$@"`;
  return ['unshare', '-m', 'sh', '-c', script, file, ...program];
}

const flow = (n: number) => `-p udp -s 10.0.0.${n} -d 192.0.2.1 --sport 1 --dport 2`;

function seed(): void {
  sh('conntrack', '-F');
  const add = (n: number, labels: string) =>
    sh(...withLabels(real, true), '-I', ...`${flow(n)} -t 3000 ${labels}`.trim().split(' '));
  add(1, '');
  add(2, '--label-add zero');
  add(3, '--label-add one,last');
  add(4, '--label-add indented,nospace,three-and-more');
}

const still = (text: string) =>
  text
    .replace(/\b(udp +17) \d+/g, '$1 T')
    .replace(/<timeout>\d+/g, '<timeout>T')
    .replace(/<id>\d+/g, '<id>N')
    .split('\n')
    .sort()
    .join('\n');

function outcome([program, ...args]: Program, line: string) {
  const { status, stdout, stderr } = spawnSync(program, [...args, ...line.split(' ')], {
    encoding: 'utf8',
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  return { line, status, stdout: still(stdout), stderr };
}

const reading = [
  '-L -o labels',
  '-L -o xml,labels',
  '-L -o extended,labels,id',
  '-L -l zero -o labels',
  '-L -l one,last',
  '-L --label one --label zero',
  '-L -l again',
  '-L -l beyond',
  '-L -l three-and-more',
  '-L -l',
  `-G ${flow(3)} -o labels`,
];
const changing = [
  `-U ${flow(2)} --label-add one -o labels`,
  `-U ${flow(2)} --label-add zero -o labels`,
  `-U ${flow(3)} --label-del one -o labels`,
  `-U ${flow(3)} --label-del -o labels`,
  `-U ${flow(1)} --label-del -o labels`,
  `-U ${flow(3)} --label-del zero -o xml,labels`,
  `-U ${flow(3)} --label-add one --label-del last`,
  `-U ${flow(3)} --label-add nosuch`,
  `-D -l one -o labels`,
  `-D -l one,zero`,
  `-I ${flow(9)} -t 3000 --label-add zero,last`,
  `-I ${flow(9)} -t 3000 --label-del zero`,
  `-A ${flow(9)} -t 3000 --label-add zero,last`,
];

await insideNamespace(import.meta.url, () => {
  sh('nft', 'add table inet t');
  sh('nft', 'add chain inet t o { type filter hook output priority 0; }');
  sh('nft', 'add rule inet t o meta mark 77 ct label set 1');

  for (const hasFile of [true, false]) {
    const pair = [withLabels(real, hasFile), withLabels(ours, hasFile)] as const;

    test(`names ${hasFile ? 'from the file' : 'without a file'}`, () => {
      seed();
      // what has no names is told in a few lines
      const some = (lines: readonly string[]) => (hasFile ? lines : lines.slice(0, 4));
      for (const line of some(reading)) {
        const [theirs, mine] = pair.map((program) => outcome(program, line));
        assert.equal(mine, theirs);
      }
      const table = () => still(sh(...withLabels(real, true), '-L', '-o', 'labels'));
      for (const line of some(changing)) {
        const [theirs, mine] = pair.map((program) => {
          seed();
          return { ...outcome(program, line), table: table() };
        });
        assert.equal(mine, theirs);
      }
    });

    test(`-E -o labels ${hasFile ? 'with the file' : 'without a file'}`, async () => {
      sh('conntrack', '-F');
      for (const options of [
        ['-o', 'labels'],
        ['-o', 'xml,labels'],
        ...(hasFile ? [['-l', 'one', '-o', 'labels']] : []),
      ]) {
        const started = pair.map((program) => start(program, '-E', ...options));
        await until('both listen', () => listeners() >= 2);
        seed();
        sh(...withLabels(real, true), '-U', ...`${flow(2)} --label-add one`.split(' '));
        sh(...withLabels(real, true), '-U', ...`${flow(3)} --label-add zero`.split(' '));
        const isDone = ({ written }: (typeof started)[0]) =>
          (written.out.match(/10\.0\.0\.3/g)?.length ?? 0) >= (options.includes('xml,labels') ? 6 : 3);
        await until('both have printed all', () => started.every(isDone), 5000).catch(() => {});
        await until('the real program waits', () => isAsleep(started[0]!));
        for (const { child } of started) {
          child.kill('SIGTERM');
          await once(child, 'close');
        }
        const [theirs, mine] = started.map(({ written }) => ({
          out: still(written.out).replace(/portid=\d+( progname=\S+)?/g, 'portid=N'),
          err: written.err,
        }));
        assert.equal(mine, theirs);
      }
    });
  }

  test('-o json names the bits that have names, and counts the others', () => {
    seed();
    const labels = (program: Program, ...more: string[]) =>
      sh(...program, '-L', '-o', 'json', ...more)
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text))
        .flatMap(({ source, labels: its }) => (source === '10.0.0.3' ? [its] : []));
    assert.equal(labels(ours), [[1, 127]]);
    assert.equal(labels(withLabels(ours, true), '-l', 'one'), [['one', 'last']]);
  });

  test.after.each(endAll);
  test.run();
});
