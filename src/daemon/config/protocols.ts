import { protocolNumbers as numbers } from '../../ctnetlink/protocol.ts';
import { suggestion } from './nearest.ts';
import { listText, Refusal } from './refusal.ts';

const names = [...numbers.keys()];

/** Reads an IP protocol, by name or number; undefined for 'all'. */
export function decodeProtocol(value: unknown): number | undefined {
  if (value === 'all') return undefined;
  const number = typeof value === 'string' ? numbers.get(value) : value;
  if (Number.isInteger(number) && (number as number) >= 0 && (number as number) <= 255)
    return number as number;
  const meant = typeof value === 'string' ? suggestion(value, [...names, 'all']) : '';
  throw new Refusal(
    `is not a protocol: one of ${listText([...names, 'all'])}, or a number from 0 to 255${meant}`,
  );
}

/** Reads the name of a protocol that has port numbers, as it stands before a slash. */
export function decodePortProtocol(name: string, withPorts: (protocol: number) => boolean): number {
  const number = numbers.get(name);
  if (number !== undefined && withPorts(number)) return number;
  const allowed = names.filter((each) => withPorts(numbers.get(each)!));
  throw new Refusal(`names no protocol with ports: one of ${listText(allowed)}${suggestion(name, allowed)}`);
}
