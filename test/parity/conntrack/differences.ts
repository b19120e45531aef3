import { splitWords } from '../../../src/cli/conntrack/splitWords.ts';

/** What is done differently on purpose. docs/differences.md gives the reason of each under its id. */
interface Difference {
  readonly id: string;
  /** Command lines that show it; they are run, and have to differ. */
  readonly lines: readonly string[];
  /** Other command lines of the table that show it. */
  readonly pattern?: RegExp;
}

const differences: readonly Difference[] = [
  {
    id: 'checked-numbers',
    lines: [
      '-L -m zz',
      '-L -m 1x',
      '-L -m 1/zz',
      '-L -m 4294967296',
      '-L -w 65543',
      '-L -w zz',
      '-L --orig-zone 65536',
      '-L -p tcp --dport 65979',
      '-L -p tcp --dport http',
      '-L -p tcp --sport -1',
      '-L -p icmp --icmp-type 264',
      '-L -c zz',
      '-U -s 10.0.0.1 -t zz',
      '-U -s 10.0.0.1 -t -1',
      '-D -i zz',
      '-I -p gre -t 1000 -s 1.1.1.1 -d 2.2.2.2 --srckey zz --dstkey 1',
      '-I -p udp -t 1x -s 1.1.1.1 -d 2.2.2.2 --sport 1 --dport 2',
    ],
  },
  {
    id: 'no-crash',
    lines: ['-D --id', '-L -p sctp --state HEARTBEAT_SENT'],
    pattern: /^(-L --id 5|-L -p sctp --state established|--i|--id)$/,
  },
  { id: 'long-help', lines: ['--help'] },
  {
    id: 'status-with-mark',
    lines: [
      '-L -m 1/1 -u SEEN_REPLY',
      '-I -p udp -t 1000 -s 1.1.1.1 -d 2.2.2.2 --sport 1 --dport 2 -m 9 -u ASSURED',
    ],
    pattern: /^-L -m 1\/1 -u /,
  },
  {
    id: 'status-negated',
    lines: ['-D -u !ASSURED', '-D -u UNREPLIED', '-D -u UNSET', '-L -u SEEN_REPLY,!ASSURED'],
  },
  { id: 'timeout-filter', lines: ['-D -t 5'] },
  {
    id: 'gre-keys',
    lines: ['-L -p gre --srckey 9'],
    pattern: /^-[LD] -p gre --(src|dst|reply-).*key/,
  },
  {
    id: 'nat-address',
    lines: ['-L -j 203.0.113.5 -p tcp', '-L -n 2001:db8::5', '-U -n 203.0.113.5 -m 9'],
  },
  {
    id: 'get-by-reply',
    lines: ['-G -p tcp -r 10.0.1.1 -q 10.0.0.2 --reply-port-src 443 --reply-port-dst 1002'],
    pattern: /^-G -p tcp -r 10.0.1.1 -q/,
  },
  {
    id: 'icmp-by-reply',
    lines: ['-I -p icmp -t 1000 -r 3.3.3.3 -q 4.4.4.4 --icmp-type 8 --icmp-code 0'],
  },
  { id: 'flush-family', lines: ['-F -f ipv4', '-F -f ipv6'] },
  { id: 'update-any-family', lines: ['-U -m 9', '-U -p tcp --state ESTABLISHED'] },
  { id: 'update-zone', lines: ['-U -s 10.0.0.8 -m 9', '-U -s 10.0.0.9 -m 9'] },
  { id: 'update-shows-all', lines: ['-U -s 10.0.0.0/29 -m 9'] },
  {
    id: 'json',
    lines: ['-L -o json', '-L expect -o json', '-C -o json', '-S -o json', '-D -s 10.0.0.2 -o json'],
  },
  {
    id: 'own-options',
    lines: ['-D --dry-run', '-D --max 3', '-U -s 10.0.0.2 -m 9 --dry-run', '-F --dry-run', '-L --show-plan'],
  },
];

export const differenceIds: readonly string[] = differences.map(({ id }) => id);

/** Command lines that are in the table only to show a difference. */
export function differingLines(): string[][] {
  return differences.flatMap(({ lines }) => lines.map((line) => splitWords(line)!));
}

/** The difference that a command line shows; undefined where it has to do the same. */
export function differenceShown(args: readonly string[]): string | undefined {
  const line = args.join(' ');
  return differences.find(({ lines, pattern }) => lines.includes(line) || pattern?.test(line))?.id;
}
