// Events are lost because the reader stands still: afterwards whoever follows our output has the kernel's table.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { endAll, listeners, ours, start } from '../support/conntrackPrograms.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/waiting.ts';

if (!hasCommand('conntrack')) skipFile(import.meta.url, 'no `conntrack` command');

/** More events than the buffer holds, also when it has grown once: 166 fill the default one. */
const BURST = 1000;

const flow = (number: number, more = '') =>
  `-A -t 3000 -u SEEN_REPLY -s 10.1.${number >> 8}.${number & 255} -d 192.0.2.1 -p tcp --sport 1000 --dport 443 --state ESTABLISHED ${more}`;
/** Answers come from another address: another flow by the same name. */
const translated = (number: number) =>
  `-r 198.51.100.9 -q 10.1.0.${number} --reply-port-src 443 --reply-port-dst 1000`;
const numbers = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

const file = join(temporaryFolder(), 'changes');
function change(lines: readonly string[]): void {
  writeFileSync(file, `${lines.join('\n')}\n`);
  sh('conntrack', '-R', file);
}

/** What a follower of the events, or of a listing, knows of a flow. */
interface Seen {
  readonly isEnd: boolean;
  readonly key: string;
  readonly value: string;
}
type Read = (line: string) => Seen | undefined;

const readText: Read = (line) => {
  if (!/ src=/.test(line)) return undefined;
  const [source] = /\bsrc=\S+/.exec(line)!;
  const value = `${/\b[A-Z_]{5,}\b(?= src=)/.exec(line)?.[0]} ${/\bmark=\d+/.exec(line)?.[0] ?? 'mark=0'} ${/src=\S+.*src=(\S+)/.exec(line)![1]}`;
  return { isEnd: line.includes('[DESTROY]'), key: source!, value };
};
const readJson: Read = (line) => {
  const { event, source, state, mark, reply } = JSON.parse(line);
  if (source === undefined) return undefined;
  return { isEnd: event === 'destroy', key: source, value: `${state} ${mark} ${reply.source}` };
};
const readXml: Read = (line) => {
  const [, source] = /<src>([^<]+)/.exec(line) ?? [];
  if (source === undefined) return undefined;
  const value = `${/<state>([^<]+)/.exec(line)?.[1]} ${/<mark>([^<]+)/.exec(line)?.[1] ?? 0}`;
  return { isEnd: line.includes('type="destroy"'), key: source, value };
};
const readSave: Read = (line) => {
  const [, source] = / -s (\S+)/.exec(line) ?? [];
  if (source === undefined) return undefined;
  return { isEnd: line.startsWith('-D'), key: source, value: / --state \S+/.exec(line)![0] };
};

const forms: readonly (readonly [options: readonly string[], read: Read, resync: RegExp])[] = [
  [[], readText, /^ \[RESYNC\] new=\d+ updated=\d+ destroyed=\d+$/m],
  [['-o', 'timestamp,extended'], readText, /^\[\d+\.\d+\]\t \[RESYNC\] new=\d+ updated=\d+ destroyed=\d+$/m],
  [
    ['-o', 'json'],
    readJson,
    /^\{"event":"resync","time":"[^"]+","new":\d+,"updated":\d+,"destroyed":\d+\}$/m,
  ],
  [['-o', 'xml'], readXml, /^<resync new="\d+" updated="\d+" destroyed="\d+"\/>$/m],
  [['-o', 'save'], readSave, /^# resync: new=\d+ updated=\d+ destroyed=\d+$/m],
];

await insideNamespace(import.meta.url, () => {
  for (const [options, read, resync] of forms) {
    test(`after a loss -E ${options.join(' ')} tells what changed`, async () => {
      sh('conntrack', '-F');
      change(numbers(0, 200).map((n) => flow(n)));
      const table = () =>
        sh('conntrack', '-L', ...options)
          .split('\n')
          .filter(Boolean);
      const known = new Map<string, string>();
      const follow = (lines: readonly string[]) => {
        for (const line of lines) {
          const seen = read(line);
          if (!seen) continue;
          if (seen.isEnd) known.delete(seen.key);
          else known.set(seen.key, seen.value);
        }
      };
      // a listing in JSON is ours alone
      const listed = () =>
        options.includes('json')
          ? sh(...ours, '-L', '-o', 'json')
              .split('\n')
              .filter(Boolean)
          : table();
      follow(listed());

      const { child, written } = start(ours, '-E', ...options);
      const heard = (n: number) => written.out.includes(`10.1.${n >> 8}.${n & 255}`);
      await until('it listens', () => listeners() > 0);
      const healed = () => written.out.match(new RegExp(resync, 'gm'))?.length ?? 0;
      // whether it has looked at the table before it is stopped is luck: the second time it has
      child.kill('SIGSTOP');
      change(numbers(1000, BURST).map((n) => flow(n)));
      child.kill('SIGCONT');
      await until('it has healed', () => healed() === 1);
      child.kill('SIGSTOP');
      change(numbers(3000, BURST).map((n) => flow(n)));
      sh('conntrack', '-D', '-s', '10.1.0.0/27');
      // the real program may take an acknowledgement for the end here
      sh(...ours, '-U', '-s', '10.1.0.32/27', '-m', '7');
      sh(...ours, '-U', '-s', '10.1.0.64/27', '-p', 'tcp', '--state', 'CLOSE_WAIT');
      sh('conntrack', '-D', '-s', '10.1.0.96/27');
      change(numbers(96, 32).map((n) => flow(n, translated(n))));
      child.kill('SIGCONT');
      await until('it has healed again', () => healed() === 2);
      change([flow(50_000)]);
      await until('it goes on', () => heard(50_000));
      child.kill('SIGTERM');
      const [code] = await once(child, 'close');
      assert.is(code, 0);
      assert.match(written.err, /We have hit ENOBUFS/);
      assert.match(written.out, /overrun|OVERRUN/);

      follow(written.out.split('\n').filter(Boolean));
      const told = [...known].map((entry) => entry.join(' ')).sort();
      known.clear();
      follow(listed());
      assert.equal(told, [...known].map((entry) => entry.join(' ')).sort());
    });
  }

  test.after.each(endAll);
  test.run();
});
