import { icmpNumber, icmpv6Number } from '../../ipset/protocolText.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { familyOf } from './draft.ts';
import { readNumber } from './numberReaders.ts';
import { parseNumber, parseSmall } from './numbers.ts';
import type { Reader, Reading } from './reading.ts';
import { findSeparator } from './separators.ts';

const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58, SCTP: 132, UDPLITE: 136 } as const;

const withPorts = new Set<number>([PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP, PROTOCOL.UDPLITE]);

type PortField = 'port' | 'portTo';

/** A port by number, or by its name in /etc/services. `protocol` as the user wrote it. */
function readSinglePort(reading: Reading, field: PortField, text: string, protocol: string): boolean {
  const { report, draft } = reading;
  const warn = (why: string) => report.warning(`Syntax error: ${why}`);
  const number = readNumber(reading, text, 0xffff, 0, warn);
  if (number !== undefined) {
    draft[field] = number;
    return true;
  }
  const named = serviceOf(reading, text, protocol, warn);
  if (named === undefined) {
    report.warning(`cannot parse '${text}' as a ${protocol} port`);
    return report.promote();
  }
  report.reset();
  draft[field] = named;
  return true;
}

function serviceOf(
  reading: Reading,
  text: string,
  protocol: string,
  warn: (why: string) => false,
): number | undefined {
  let name = text;
  if (text.startsWith('[')) {
    if (!text.endsWith(']')) {
      reading.report.syntax(`cannot find closing escape character ']' in ${text}`);
      return undefined;
    }
    name = text.slice(1, -1);
  }
  const number = readNumber(reading, protocol, 255, 0, warn);
  const protocolName = number === undefined ? protocol : reading.database.protocolByNumber(number);
  return protocolName === undefined ? undefined : reading.database.port(name, protocolName);
}

/** A port or a range of ports. */
function readPorts(reading: Reading, text: string, protocol: string): boolean {
  const { report } = reading;
  let dash: number;
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    if (end === -1) return report.syntax(`cannot find closing escape character ']' in ${text}`);
    dash = end + 1;
    if (dash === text.length) return readSinglePort(reading, 'port', text, protocol);
    if (text[dash] !== '-') {
      return report.syntax(`range separator expected after '${text.slice(0, dash)}'`);
    }
  } else {
    dash = findSeparator(text, '-');
  }
  if (dash === -1) return readSinglePort(reading, 'port', text, protocol);
  return (
    readSinglePort(reading, 'portTo', text.slice(dash + 1), protocol) &&
    readSinglePort(reading, 'port', text.slice(0, dash), protocol)
  );
}

/** One port of TCP. */
export const readTcpPort =
  (field: PortField): Reader =>
  (reading, text) =>
    readSinglePort(reading, field, text, 'tcp');

/** A protocol by its number or name; undefined, with an error in the report, where it is none. */
function readProtocol({ database, report }: Reading, text: string): number | undefined {
  const parsed = parseSmall(text) ?? Number(numberOf(text));
  if (parsed <= 255) return parsed;
  report.reset();
  const number = database.protocolByName(text.toLowerCase() === 'icmpv6' ? 'ipv6-icmp' : text);
  if (number === undefined) report.syntax(`cannot parse '${text}' as a protocol`);
  else if (number === 0) report.syntax(`Unsupported protocol '${text}'`);
  else return number;
  return undefined;
}

function numberOf(text: string): bigint | undefined {
  const parsed = parseNumber(text);
  return parsed.kind === 'number' ? parsed.value : undefined;
}

/** [PROTOCOL:]PORT, with the names of ICMP, and 0 for protocols without ports. */
export const readProtocolPort: Reader = (reading, text) => {
  const colon = findSeparator(text, ':');
  if (colon === -1) {
    reading.draft.protocol = PROTOCOL.TCP;
    return readPorts(reading, text, 'tcp');
  }
  const family = familyOf(reading.draft);
  const name = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  const protocol = readProtocol(reading, name);
  if (protocol === undefined) return false;
  reading.draft.protocol = protocol;
  if (withPorts.has(protocol)) return readPorts(reading, rest, name);
  if (protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6) {
    return readIcmp(reading, rest, protocol, family);
  }
  if (rest !== '0') {
    return reading.report.syntax(`Protocol ${name} can be used with pseudo port value 0 only.`);
  }
  reading.draft.port = 0;
  return true;
};

/** ipset(8) reports a protocol of the wrong family, and goes on with a draft that is void. */
function readIcmp(reading: Reading, text: string, protocol: number, family: number): boolean {
  const [name, wanted, inet] =
    protocol === PROTOCOL.ICMP
      ? (['ICMP', AF.INET, 'inet'] as const)
      : (['ICMPv6', AF.INET6, 'inet6'] as const);
  if (family !== wanted) {
    reading.report.syntax(`Protocol ${name} can be used with family ${inet} only`);
    // in a restore file it crashes on that
    return reading.report.line === 0;
  }
  const named = protocol === PROTOCOL.ICMP ? icmpNumber(text) : icmpv6Number(text);
  const value = named ?? readTypeAndCode(reading, text, name);
  if (value === undefined) return false;
  reading.draft.port = value;
  return true;
}

function readTypeAndCode(reading: Reading, text: string, name: string): number | undefined {
  const slash = findSeparator(text, '/');
  if (slash === -1) {
    reading.report.error(`Cannot parse ${text} as an ${name} type/code.`);
    return undefined;
  }
  const type = readNumber(reading, text.slice(0, slash), 255);
  const code = type === undefined ? undefined : readNumber(reading, text.slice(slash + 1), 255);
  return code === undefined ? undefined : type! * 256 + code;
}

/** [PROTOCOL:]PORT of a bitmap, which keeps the port only. */
export const readTcpUdpPort: Reader = (reading, text) => {
  if (!readProtocolPort(reading, text)) return false;
  const { draft, report } = reading;
  if (draft.protocol !== PROTOCOL.TCP && draft.protocol !== PROTOCOL.UDP) {
    return report.syntax('Only protocols TCP and UDP are valid');
  }
  delete draft.protocol;
  return true;
};
