/** What is done differently on purpose. docs/differences-ipset.md gives the reason of each under its id. */
interface Difference {
  readonly id: string;
  /** Command lines that show it; they are run, and have to differ. */
  readonly lines: readonly string[];
  /** Other command lines of the table that show it. */
  shownBy?(args: readonly string[]): boolean;
}

const differences: readonly Difference[] = [
  { id: 'json', lines: ['list -o json', 'save -o json', 'list -n -o json', 'list -t -o json'] },
  { id: 'help-examples', lines: ['help hash:ip', 'help hash:net,port', 'help bitmap:port', 'help setlist'] },
  {
    id: 'checked-numbers',
    lines: [
      'add s 10.0.0.1 skbmark 0x1zz',
      'add s 10.0.0.1 skbmark 0x1ffffffff',
      'add s 10.0.0.1 skbprio 1:10zz',
      'add s 10.0.0.1 skbprio 10000:1',
      'add s 10.0.0.1 packets -5',
      'add s 10.0.0.1 bytes -5',
    ],
  },
  {
    id: 'no-crash',
    lines: [],
    shownBy: (args) =>
      args.some((word) => /^(?:icmp|icmpv6|ipv6-icmp|58):[^,]*$/i.test(word)) &&
      args.some((word) => ['add', 'del', 'test', 'bitmap:port'].includes(word)),
  },
];

export const differenceIds: readonly string[] = differences.map(({ id }) => id);

/** Command lines that are in the table only to show a difference; of an element of a set with every extension. */
export function differingLines(): readonly string[] {
  return differences.flatMap(({ lines }) => lines);
}

/** The difference that a command line shows; undefined where it has to do the same. */
export function differenceShown(args: readonly string[]): string | undefined {
  const line = args.join(' ');
  return differences.find(({ lines, shownBy }) => lines.includes(line) || shownBy?.(args))?.id;
}
