/** One line of `conntrack -L -o id`, as far as the laboratory's tests look at it. */
export interface ConntrackRow {
  readonly protocol: string;
  readonly state: string | undefined;
  readonly source: string;
  readonly destination: string;
  /** 0 where the protocol has no ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly replySource: string;
  /** Where the answers go: the router's address on a WAN if the flow is masqueraded. */
  readonly replyDestination: string;
  readonly mark: number;
  readonly id: number;
  readonly line: string;
}

/** Reads the real tool's listing; lines that are no entries are left out. */
export function readConntrackTable(text: string): ConntrackRow[] {
  return text.split('\n').flatMap((line) => {
    const values = (key: string) =>
      [...line.matchAll(new RegExp(`(?:^|\\s)${key}=(\\S+)`, 'g'))].map((each) => each[1]!);
    const [source, replySource] = values('src');
    const [destination, replyDestination] = values('dst');
    if (!source || !replySource || !destination || !replyDestination) return [];
    return [
      {
        protocol: line.slice(0, line.indexOf(' ')),
        state: /\s([A-Z][A-Z_]+)\s/.exec(line)?.[1],
        source,
        destination,
        sourcePort: Number(values('sport')[0] ?? 0),
        destinationPort: Number(values('dport')[0] ?? 0),
        replySource,
        replyDestination,
        mark: Number(values('mark')[0] ?? 0),
        id: Number(values('id').at(-1) ?? 0),
        line,
      },
    ];
  });
}
