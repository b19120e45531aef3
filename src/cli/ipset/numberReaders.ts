import { AF } from '../../nfnetlink/constants.ts';
import { parseNumber, parseSmall } from './numbers.ts';
import { type Reader, type Reading, settledFamily } from './reading.ts';

/** A number from `least` to `most`; undefined, with an error in the report, where it is none. */
export function readNumber(
  { report }: Reading,
  text: string,
  most: number,
  least = 0,
  complain: (text: string) => false = (why) => report.syntax(why),
): number | undefined {
  const small = parseSmall(text);
  if (small !== undefined && small >= least && small <= most) return small;
  const parsed = parseNumber(text);
  if (parsed.kind === 'number' && parsed.value >= least && parsed.value <= most) return Number(parsed.value);
  complain(
    parsed.kind === 'none' ? `'${text}' is invalid as number` : `'${text}' is out of range ${least}-${most}`,
  );
  return undefined;
}

/** A prefix length. */
export function readCidr(reading: Reading, text: string, least: number, most: number): number | undefined {
  const value = readNumber(reading, text, 255);
  if (value === undefined || (value >= least && value <= most)) return value;
  reading.report.syntax(`'${text}' is out of range ${least}-${most}`);
  return undefined;
}

type NumberField =
  | 'timeout'
  | 'hashSize'
  | 'maxElements'
  | 'markMask'
  | 'bucketSize'
  | 'initialValue'
  | 'size'
  | 'skbQueue'
  | 'mark';

/** A number into one field. */
export const readInto =
  (field: NumberField, most: number): Reader =>
  (reading, text) => {
    const value = readNumber(reading, text, most);
    if (value === undefined) return false;
    reading.draft[field] = value;
    return true;
  };

const MOST_U64 = 0xffffffffffffffffn - 1n;

/** A counter of 64 bits. */
export const readCounter =
  (field: 'packets' | 'bytes'): Reader =>
  ({ draft, report }, text) => {
    const parsed = parseNumber(text);
    if (parsed.kind === 'none') return report.syntax(`'${text}' is invalid as number`);
    if (parsed.kind === 'range' || parsed.value > MOST_U64) {
      return report.syntax(`'${text}' is out of range 0-${MOST_U64}`);
    }
    draft[field] = parsed.value;
    return true;
  };

/** The prefix length that addresses are cut to. */
export const readNetmask: Reader = (reading, text) => {
  const { draft, report } = reading;
  if (draft.bitmask !== undefined) {
    return report.syntax('bitmask and netmask are mutually exclusive, provide only one');
  }
  const most = settledFamily(reading) === AF.INET ? 32 : 128;
  const value = readCidr(reading, text, 1, most);
  if (value === undefined) return report.syntax(`netmask is out of the inclusive range of 1-${most}`);
  draft.netmask = value;
  return true;
};

const MOST_U32 = 0xffffffff;

/** MARK or MARK/MASK, each 0x and hexadecimal digits. */
export const readSkbMark: Reader = ({ draft, report }, text) => {
  const [, mark, mask = 'ffffffff'] = /^0x([0-9a-f]+)(?:\/0x([0-9a-f]+))?$/i.exec(text) ?? [];
  const [value, bits] = [Number.parseInt(mark ?? '', 16), Number.parseInt(mask, 16)];
  if (mark === undefined || value > MOST_U32 || bits > MOST_U32) {
    return report.syntax('Invalid skbmark format, it should be:  MARK/MASK or MARK (see manpage)');
  }
  draft.skbMark = (BigInt(value) << 32n) | BigInt(bits);
  return true;
};

/** MAJOR:MINOR of a traffic control class, in hexadecimal digits. */
export const readSkbPriority: Reader = ({ draft, report }, text) => {
  const [, major, minor] = /^(?:0x)?([0-9a-f]+):(?:0x)?([0-9a-f]+)$/i.exec(text) ?? [];
  const [high, low] = [Number.parseInt(major ?? '', 16), Number.parseInt(minor ?? '', 16)];
  if (minor === undefined || high > 0xffff || low > 0xffff) {
    return report.syntax('Invalid skbprio format, it should be:MAJOR:MINOR (see manpage)');
  }
  draft.skbPriority = high * 0x10000 + low;
  return true;
};
