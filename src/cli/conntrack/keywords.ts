import { IPS } from '../../ctnetlink/constants.ts';
import type { EventKind } from '../../ctnetlink/flowView.ts';
import { wrongParameter } from './exit.ts';

/** Words of one option, with what each of them adds. The first that begins with what was typed is meant. */
type Keywords<T> = readonly (readonly [name: string, value: T])[];

const statusKeywords: Keywords<number> = [
  ['ASSURED', IPS.ASSURED],
  ['SEEN_REPLY', IPS.SEEN_REPLY],
  ['UNSET', 0],
  ['FIXED_TIMEOUT', IPS.FIXED_TIMEOUT],
  ['EXPECTED', IPS.EXPECTED],
  ['OFFLOAD', IPS.OFFLOAD],
  ['HW_OFFLOAD', IPS.HW_OFFLOAD],
];

const eventKeywords: Keywords<readonly EventKind[]> = [
  ['ALL', ['new', 'update', 'destroy']],
  ['NEW', ['new']],
  ['UPDATES', ['update']],
  ['DESTROY', ['destroy']],
];

export type OutputKeyword =
  | 'xml'
  | 'extended'
  | 'timestamp'
  | 'id'
  | 'ktimestamp'
  | 'labels'
  | 'userspace'
  | 'save'
  | 'json';

const outputKeywords: Keywords<OutputKeyword> = (
  ['xml', 'extended', 'timestamp', 'id', 'ktimestamp', 'labels', 'userspace', 'save', 'json'] as const
).map((name) => [name, name]);

/** What is said about words that are passed over. */
export type Warn = (line: string) => void;

// words that conntrack(8) once took here; it looks for them in every list of words, by their beginning
const retired = [
  ['SRC_NAT', 'WARNING: ignoring SRC_NAT, use --src-nat instead\n'],
  ['DST_NAT', 'WARNING: ignoring DST_NAT, use --dst-nat instead\n'],
] as const;

/** The value of one word; undefined for a retired one. @throws ConntrackExit with the list from here on */
function lookUp<T>(word: string, rest: string, keywords: Keywords<T>, warn: Warn): T | undefined {
  if (word === '') throw badParameter(rest);
  const isMeant = (name: string) => name.startsWith(word.toUpperCase());
  const old = retired.find(([name]) => isMeant(name));
  if (old) {
    warn(old[1]);
    return undefined;
  }
  const found = keywords.find(([name]) => name.toLowerCase().startsWith(word.toLowerCase()));
  if (!found) throw badParameter(rest);
  return found[1];
}

function badParameter(rest: string): Error {
  return wrongParameter(`Bad parameter \`${rest}'`);
}

/** Calls back with each word between commas and with the list from that word on. */
function eachWord(text: string, take: (word: string, rest: string) => void): void {
  for (let rest: string | undefined = text; rest !== undefined; ) {
    const comma = rest.indexOf(',');
    take(comma < 0 ? rest : rest.slice(0, comma), rest);
    rest = comma < 0 ? undefined : rest.slice(comma + 1);
  }
}

/** -e. @throws ConntrackExit */
export function parseEventMask(text: string, warn: Warn): EventKind[] {
  const kinds: EventKind[] = [];
  eachWord(text, (word, rest) => kinds.push(...(lookUp(word, rest, eventKeywords, warn) ?? [])));
  return kinds;
}

/** -o. @throws ConntrackExit */
export function parseOutput(text: string, warn: Warn): OutputKeyword[] {
  const formats: OutputKeyword[] = [];
  eachWord(text, (word, rest) => {
    const format = lookUp(word, rest, outputKeywords, warn);
    if (format) formats.push(format);
  });
  return formats;
}

/** Status bits that have to be set, and those that have to be clear. */
export interface StatusBits {
  readonly set: number;
  readonly clear: number;
}

const UNREPLIED = 'UNREPLIED';

/** -u: words, those behind an exclamation mark negated. @throws ConntrackExit */
export function parseStatus(text: string, warn: Warn): StatusBits {
  let set = 0;
  let clear = 0;
  eachWord(text, (word, rest) => {
    if (word === '') throw badParameter(rest);
    const isNegated = word.startsWith('!');
    if (!isNegated && word.startsWith(UNREPLIED)) {
      clear |= IPS.SEEN_REPLY;
      return;
    }
    const bits = isNegated
      ? lookUp(word.slice(1), rest.slice(1), statusKeywords, warn)
      : lookUp(word, rest, statusKeywords, warn);
    if (isNegated) clear |= bits ?? 0;
    else set |= bits ?? 0;
  });
  return { set, clear };
}
