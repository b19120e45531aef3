import { readIp, readIp4Net6, readIp4Single6, readSingleIp } from './addressReader.ts';
import { readInto } from './numberReaders.ts';
import { readProtocolPort, readTcpUdpPort } from './portReader.ts';
import type { Reader, Reading } from './reading.ts';
import { findSeparator } from './separators.ts';
import { readIface, readMac, readOldMember, readSetName } from './textReaders.ts';
import type { PartReader, TypeGrammar } from './typeGrammar.ts';

type AddressPart = 'ip' | 'singleIp' | 'ip4Single6' | 'ip4Net6';

const first: Readonly<Record<AddressPart, Reader>> = {
  ip: readIp('ip'),
  singleIp: readSingleIp('ip'),
  ip4Single6: readIp4Single6('ip'),
  ip4Net6: readIp4Net6('ip'),
};

const second: Readonly<Record<AddressPart, Reader>> = {
  ip: readIp('ip2'),
  singleIp: readSingleIp('ip2'),
  ip4Single6: readIp4Single6('ip2'),
  ip4Net6: readIp4Net6('ip2'),
};

const others: Readonly<Record<Exclude<PartReader, AddressPart>, Reader>> = {
  mac: readMac,
  port: readTcpUdpPort,
  protoPort: readProtocolPort,
  mark: readInto('mark', 0xffffffff),
  iface: readIface,
  setName: readSetName('name'),
};

/** The readers of each type's parts. */
const readers = new Map<TypeGrammar, readonly Reader[]>();

function readersOf(grammar: TypeGrammar): readonly Reader[] {
  let found = readers.get(grammar);
  if (!found) {
    found = grammar.parts.map((part, i) => {
      const addresses = i === 0 ? first : second;
      return part in addresses ? addresses[part as AddressPart] : others[part as keyof typeof others];
    });
    readers.set(grammar, found);
  }
  return found;
}

/** An element: one to three parts, with commas between them. */
export function readElement(reading: Reading, grammar: TypeGrammar, text: string): boolean {
  const { report } = reading;
  const count = grammar.parts.length;
  const comma = findSeparator(text, ',');
  if (count === 1 && comma !== -1) {
    if (grammar.name === 'list:set') return readOldMember(reading, text);
    return report.syntax(`Elem separator in ${text}, but settype ${grammar.name} supports none.`);
  }
  if (count === 1) return readersOf(grammar)[0]!(reading, text);
  if (comma === -1 && !grammar.isLastOptional) {
    return report.syntax(`Second element is missing from ${text}.`);
  }
  const parts = comma === -1 ? [text] : splitOnce(text, comma);
  const next = comma === -1 ? -1 : findSeparator(parts[1]!, ',');
  if (count === 2 && next !== -1) {
    return report.syntax(`Two elem separators in ${text}, but settype ${grammar.name} supports one.`);
  }
  if (count === 3) {
    if (next === -1) return report.syntax(`Third element is missing from ${text}.`);
    parts.push(...splitOnce(parts.pop()!, next));
    if (findSeparator(parts[2]!, ',') !== -1) {
      return report.syntax(`Three elem separators in ${text}, but settype ${grammar.name} supports two.`);
    }
  }
  return parts.every((part, i) => readersOf(grammar)[i]!(reading, part));
}

function splitOnce(text: string, at: number): string[] {
  return [text.slice(0, at), text.slice(at + 1)];
}
