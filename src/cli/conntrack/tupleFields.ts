import { IPPROTO } from '../../ctnetlink/constants.ts';
import { hasPortNumbers, isIcmp } from '../../ctnetlink/protocol.ts';
import type { Tuple } from '../../ctnetlink/tuple.ts';
import { ascii } from '../byteSink.ts';

/** What a protocol tells flows apart by beside addresses, as it is printed. */
export interface TupleField {
  /** Its word in a line and its element in XML. */
  readonly name: string;
  /** ' sport=', with what goes before a number. */
  readonly word: Uint8Array;
  /** Where a tuple, and the view of one, has it; what it lacks is printed as 0. */
  readonly of: 'sourcePort' | 'destinationPort' | 'icmpType' | 'icmpCode' | 'icmpId';
  readonly isHexadecimal: boolean;
}

function field(name: string, of: TupleField['of'], isHexadecimal = false): TupleField {
  return { name, of, isHexadecimal, word: ascii(` ${name}=${isHexadecimal ? '0x' : ''}`) };
}

const ports = [field('sport', 'sourcePort'), field('dport', 'destinationPort')];
const keys = [field('srckey', 'sourcePort', true), field('dstkey', 'destinationPort', true)];
const icmp = [field('type', 'icmpType'), field('code', 'icmpCode'), field('id', 'icmpId')];
const none: TupleField[] = [];

const byProtocol: readonly (readonly TupleField[])[] = Array.from({ length: 256 }, (_, protocol) => {
  if (hasPortNumbers(protocol)) return ports;
  if (isIcmp(protocol)) return icmp;
  return protocol === IPPROTO.GRE ? keys : none;
});

/** The fields of a protocol, in the order in which they are printed. */
export function tupleFields(protocol: number): readonly TupleField[] {
  return byProtocol[protocol] ?? none;
}

/** The value of a field as text. */
export function fieldText({ of, isHexadecimal }: TupleField, tuple: Tuple): string {
  const value = tuple[of] ?? 0;
  return isHexadecimal ? `0x${value.toString(16)}` : String(value);
}
