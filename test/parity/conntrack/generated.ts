import { LONG_OPTIONS } from '../../../src/cli/conntrack/optionTable.ts';
import { PROTOCOLS } from '../../../src/cli/conntrack/protocols.ts';
import type { ParityCase } from '../tool.ts';

/** Every command, with what it needs of a flow that is there, so that a further option is judged. */
const bases: readonly (readonly string[])[] = [
  ['-L'],
  ['-L', 'dying'],
  ['-L', 'expect'],
  '-G -p udp -s 10.0.0.7 -d 10.0.1.1 --sport 2001 --dport 53'.split(' '),
  '-G expect -p udp -s 10.0.0.7 -d 10.0.1.1 --sport 1 --dport 2 --reply-port-src 1 --reply-port-dst 1'.split(
    ' ',
  ),
  '-D -p udp -s 10.0.0.7 -d 10.0.1.1 --sport 2001'.split(' '),
  '-D expect -p udp -s 10.0.0.7 -d 10.0.1.1 --sport 1 --dport 2 --reply-port-src 1 --reply-port-dst 1'.split(
    ' ',
  ),
  '-U -p udp -s 10.0.0.7 -d 10.0.1.1'.split(' '),
  '-I -p udp -t 1000 -s 10.9.0.7 -d 10.0.1.1 --sport 2001 --dport 53'.split(' '),
  '-A -p udp -t 1000 -s 10.9.0.7 -d 10.0.1.1 --sport 2001 --dport 53'.split(' '),
  ['-F'],
  ['-F', 'expect'],
  ['-C'],
  ['-C', 'expect'],
  ['-S'],
  ['-S', 'expect'],
  ['-V'],
  ['-h'],
];

/** Each option once, by a short and by a long name, with a value that means something. */
const options: readonly (readonly string[])[] = [
  ['-s', '10.0.0.7'],
  ['--orig-dst', '10.0.1.1'],
  ['-r', '10.0.1.1'],
  ['--reply-dst', '10.0.0.7'],
  ['-t', '1500'],
  ['--status', 'SEEN_REPLY'],
  ['-z'],
  ['-e', 'ALL'],
  ['--tuple-src', '10.0.0.7'],
  ['--tuple-dst', '10.0.0.7'],
  ['--mask-src', '255.255.255.0'],
  ['--mask-dst', '255.255.255.255'],
  ['-a', '1'],
  ['--mark', '0/0xff'],
  ['-i', '1'],
  ['-f', 'ipv4'],
  ['-f', 'ipv6'],
  ['-n'],
  ['--dst-nat'],
  ['-o', 'extended'],
  ['-o', 'xml'],
  ['-c', '1'],
  ['-b', '100000'],
  ['--any-nat'],
  ['--zone', '0'],
  ['--orig-zone', '0'],
  ['--reply-zone', '0'],
];

function commandsByOptions(): string[][] {
  return bases.flatMap((base) => options.map((option) => [...base, ...option]));
}

/** Every option of every protocol with every command that could take it. */
function protocolOptions(): string[][] {
  const values: Readonly<Record<string, string>> = { state: 'ESTABLISHED', role: 'client' };
  return PROTOCOLS.flatMap(({ name, options: own }) =>
    own.flatMap((option) =>
      ['-L', '-D', '-U', '-G', '-I', '-h', '-F', '-C'].map((command) => {
        const value = values[option.field] ?? '9';
        return [command, '-p', name, `--${option.name}`, value];
      }),
    ),
  );
}

/** Every beginning of every long option. */
function abbreviations(): string[][] {
  const words = new Set<string>();
  for (const { name } of LONG_OPTIONS) {
    for (let length = 1; length <= name.length; length++) words.add(`--${name.slice(0, length)}`);
  }
  // alone: an event command would not end, and a delete leaves nothing to see
  return [...words]
    .filter((word) => !/^--(ev|event|e)$/.test(word) && !/^--eve/.test(word))
    .map((word) => [word]);
}

/** Every set of output words up to three. */
function outputs(): string[][] {
  const words = ['xml', 'extended', 'timestamp', 'id', 'ktimestamp', 'userspace'];
  const sets = words.flatMap((first, i) => [
    [first],
    ...words
      .slice(i + 1)
      .flatMap((second, j) => [
        [first, second],
        ...words.slice(i + j + 2).map((third) => [first, second, third]),
      ]),
  ]);
  return sets.map((set) => ['-L', '-o', set.join(',')]);
}

/** Pairs of filters over the seeded flows. */
function filterPairs(): string[][] {
  const filters = [
    ['-s', '10.0.0.0/28'],
    ['-d', '10.0.1.1'],
    ['-p', 'tcp'],
    ['-p', 'udp', '--dport', '53'],
    ['-r', '10.0.1.1'],
    ['-q', '10.0.0.2'],
    ['-m', '1/1'],
    ['-u', 'ASSURED'],
    ['-u', '!SEEN_REPLY'],
    ['-w', '0'],
    ['-n'],
    ['-g'],
    ['-j'],
    ['-f', 'ipv6'],
    ['-s', '2001:db8::/48'],
  ];
  return filters.flatMap((first, i) => filters.slice(i + 1).map((second) => ['-L', ...first, ...second]));
}

export function generatedCases(): ParityCase[] {
  return [
    ...commandsByOptions(),
    ...protocolOptions(),
    ...abbreviations(),
    ...outputs(),
    ...filterPairs(),
  ].map((args) => ({ args }));
}
