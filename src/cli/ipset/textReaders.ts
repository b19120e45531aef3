import {
  IFNAMSIZ,
  IPSET_CADT_FLAG,
  IPSET_MAX_COMMENT_SIZE,
  IPSET_MAXNAMELEN,
} from '../../ipset/constants.ts';
import { AF } from '../../nfnetlink/constants.ts';
import type { Reader, Reading } from './reading.ts';
import { findSeparator } from './separators.ts';

/** Bytes of a text; the limits of the kernel count them. */
function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

/** Whether a set's name fits; says so where it does not. */
function checkName({ report }: Reading, name: string): boolean {
  if (bytesOf(name) < IPSET_MAXNAMELEN) return true;
  return report.syntax(`setname '${name}' is longer than ${IPSET_MAXNAMELEN - 1} characters`);
}

export const readSetName =
  (field: 'setName' | 'setName2' | 'name'): Reader =>
  (reading, text) => {
    if (!checkName(reading, text)) return false;
    reading.draft[field] = text;
    return true;
  };

/** Sets bits among the flags of an element or of a new set. */
export const readFlag =
  (bit: number): Reader =>
  ({ draft }) => {
    draft.flags = (draft.flags ?? 0) | bit;
    return true;
  };

/** The member that another is to stand before or after. */
export const readNeighbour =
  (isBefore: boolean): Reader =>
  (reading, text) => {
    if (!checkName(reading, text)) return false;
    if (isBefore) readFlag(IPSET_CADT_FLAG.BEFORE)(reading, text);
    reading.draft.nameReference = text;
    return true;
  };

/** A member and its neighbour in the syntax of old: SET,before,SET or SET,after,SET. */
export const readOldMember: Reader = (reading, text) => {
  const first = findSeparator(text, ',');
  const rest = text.slice(first + 1);
  const second = findSeparator(rest, ',');
  const where = rest.slice(0, second);
  if (second === -1 || (where !== 'before' && where !== 'after')) {
    return reading.report.error('you must specify elements as setname,[before|after],setname');
  }
  return (
    readSetName('name')(reading, text.slice(0, first)) &&
    readNeighbour(where === 'before')(reading, rest.slice(second + 1))
  );
};

export const readIface: Reader = (reading, text) => {
  const isPort = text.startsWith('physdev:');
  if (isPort) readFlag(IPSET_CADT_FLAG.PHYSDEV)(reading, text);
  const name = isPort ? text.slice('physdev:'.length) : text;
  if (bytesOf(name) >= IFNAMSIZ) {
    return reading.report.syntax(`interface name '${name}' is longer than ${IFNAMSIZ - 1} characters`);
  }
  reading.draft.iface = name;
  return true;
};

export const readMac: Reader = ({ draft, report }, text) => {
  const parts = text.split(':');
  const isMac =
    text.length <= 17 && parts.length === 6 && parts.every((part) => /^(?:0x)?[0-9a-f]+$/i.test(part));
  const bytes = parts.map((part) => Number.parseInt(part, 16));
  if (!isMac || bytes.some((byte) => byte > 255)) {
    return report.syntax(`cannot parse '${text}' as ethernet address`);
  }
  draft.ether = Uint8Array.from(bytes);
  return true;
};

export const readComment: Reader = ({ draft, report }, text) => {
  if (text.includes('"')) return report.syntax('" character is not permitted in comments');
  if (bytesOf(text) > IPSET_MAX_COMMENT_SIZE) {
    return report.syntax(`Comment is longer than the maximum allowed ${IPSET_MAX_COMMENT_SIZE} characters`);
  }
  draft.comment = text;
  return true;
};

const families = new Map<string, number>([
  ['inet', AF.INET],
  ['ipv4', AF.INET],
  ['-4', AF.INET],
  ['inet6', AF.INET6],
  ['ipv6', AF.INET6],
  ['-6', AF.INET6],
  ['any', AF.UNSPEC],
  ['unspec', AF.UNSPEC],
]);

export const readFamily: Reader = ({ draft, report }, text) => {
  const family = families.get(text);
  if (family === undefined) return report.syntax(`unknown inet family ${text}`);
  draft.family = family;
  draft.isFamilyAssumed = false;
  return true;
};

/** An option that means nothing any more: a warning, once a command. */
export const readObsolete =
  (name: string): Reader =>
  ({ draft, report }, text) => {
    draft.ignored ??= new Set();
    if (!draft.ignored.has(name)) {
      report.warning(`Option '--${name} ${text}' is ignored. Please upgrade your syntax.`);
    }
    draft.ignored.add(name);
    return true;
  };
