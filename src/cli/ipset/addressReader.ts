import { AF } from '../../nfnetlink/constants.ts';
import { readCidr } from './numberReaders.ts';
import { type Reader, type Reading, settledFamily } from './reading.ts';
import { findRange, findSeparator } from './separators.ts';

type First = 'ip' | 'ip2';

/** An address, a network or a range. */
export const readIp = (field: First): Reader => {
  const [cidr, to] = field === 'ip' ? (['cidr', 'ipTo'] as const) : (['cidr2', 'ip2To'] as const);
  return (reading, text) => {
    const family = settledFamily(reading);
    const slash = findSeparator(text, '/');
    if (slash !== -1) {
      const prefix = readCidr(reading, text.slice(slash + 1), 0, family === AF.INET ? 32 : 128);
      if (prefix === undefined) return false;
      reading.draft[cidr] = prefix;
      return readBracketed(reading, field, text.slice(0, slash), family);
    }
    if (text.startsWith('[')) return readEscaped(reading, field, to, text, family);
    const dash = findSeparator(text, '-');
    if (dash === -1) return readHost(reading, field, text, family);
    return (
      readHost(reading, field, text.slice(0, dash), family) &&
      readBracketed(reading, to, text.slice(dash + 1), family)
    );
  };
};

/** A text that begins with a name in brackets: [my-host], [my-host]-[other-host]. */
function readEscaped(
  reading: Reading,
  field: First,
  to: 'ipTo' | 'ip2To',
  text: string,
  family: number,
): boolean {
  const end = text.indexOf(']');
  if (end === -1) return reading.report.syntax(`cannot find closing escape character ']' in ${text}`);
  const from = text.slice(1, end);
  if (end === text.length - 1) return readHost(reading, field, from, family);
  if (text[end + 1] !== '-') {
    return reading.report.syntax(`range separator expected after '${text.slice(0, end + 1)}'`);
  }
  return readHost(reading, field, from, family) && readBracketed(reading, to, text.slice(end + 2), family);
}

function readBracketed(
  reading: Reading,
  field: First | 'ipTo' | 'ip2To',
  text: string,
  family: number,
): boolean {
  if (!text.startsWith('[')) return readHost(reading, field, text, family);
  if (text.endsWith(']')) return readHost(reading, field, text.slice(1, -1), family);
  return reading.report.syntax(`cannot find closing escape character ']' in ${text}`);
}

function readHost(
  reading: Reading,
  field: 'ip' | 'ipTo' | 'ip2' | 'ip2To' | 'bitmask',
  text: string,
  family: number,
): boolean {
  const { report } = reading;
  const found = reading.hosts.addresses(text, family);
  if (found.length === 0) {
    const wanted = family === AF.INET ? 'IPv4' : 'IPv6';
    return report.syntax(`cannot parse ${text}: resolving to ${wanted} address failed`);
  }
  if (found.length > 1) {
    report.warning(
      `${text} resolves to multiple addresses: using only the first one returned by the resolver.`,
    );
    reading.warnNow();
  }
  reading.draft[field] = found[0]!;
  return true;
}

function isRange(text: string): boolean {
  return findRange(text) !== -1;
}

function isNetwork(text: string): boolean {
  return findSeparator(text, '/') !== -1;
}

/** One address; the prefix length of a whole address may stand behind it. */
export const readSingleIp = (field: First): Reader => {
  const read = readIp(field);
  return (reading, text) => {
    const host = settledFamily(reading) === AF.INET ? '/32' : '/128';
    const isHost = text.slice(text.indexOf('/')) === host;
    if (isRange(text) || (isNetwork(text) && !isHost)) {
      return reading.report.syntax(`plain IP address must be supplied: ${text}`);
    }
    return read(reading, text);
  };
};

/** The last address of a range, in the syntax of old. */
export const readLastIp: Reader = (reading, text) => {
  const host = settledFamily(reading) === AF.INET ? '/32' : '/128';
  if (isRange(text) || (isNetwork(text) && text.slice(text.indexOf('/')) !== host)) {
    return reading.report.syntax(`plain IP address must be supplied: ${text}`);
  }
  const slash = findSeparator(text, '/');
  return readHost(reading, 'ipTo', slash === -1 ? text : text.slice(0, slash), reading.draft.family!);
};

/** A network with its prefix length. */
export const readNetwork: Reader = (reading, text) => {
  if (!isNetwork(text) || isRange(text)) {
    return reading.report.syntax(`IP/netblock must be supplied: ${text}`);
  }
  return readIp('ip')(reading, text);
};

/** A network or a range, of a bitmap. */
export const readIpRange: Reader = (reading, text) => {
  if (!isRange(text) && !isNetwork(text)) {
    return reading.report.syntax(`IP/cidr or IP-IP range must be specified: ${text}`);
  }
  return readIp('ip')(reading, text);
};

/** Anything of IPv4, one address of IPv6. */
export const readIp4Single6 = (field: First): Reader => {
  const any = readIp(field);
  const single = readSingleIp(field);
  return (reading, text) => (settledFamily(reading) === AF.INET ? any : single)(reading, text);
};

/** Anything of IPv4, an address or a network of IPv6. */
export const readIp4Net6 = (field: First): Reader => {
  const any = readIp(field);
  return (reading, text) => {
    if (settledFamily(reading) !== AF.INET && isRange(text)) {
      return reading.report.syntax(`IP address or IP/cidr must be specified: ${text}`);
    }
    return any(reading, text);
  };
};

/** The mask that is laid over addresses. */
export const readBitmask: Reader = (reading, text) => {
  const { draft, report } = reading;
  if (draft.netmask !== undefined) {
    return report.syntax('bitmask and netmask are mutually exclusive, provide only one');
  }
  const family = settledFamily(reading);
  if (readHost(reading, 'bitmask', text, family)) return true;
  return report.syntax(`bitmask is not valid for family = ${family === AF.INET ? 'inet' : 'inet6'}`);
};
