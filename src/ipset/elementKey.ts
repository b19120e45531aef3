import { AF, EncodeError, parseAddress } from '../nfnetlink/index.ts';
import type { Element, ElementUse, SetShape } from './element.ts';
import { parseMac } from './mac.ts';
import type { SetType } from './setType.ts';

type Field = keyof Element;

/** The fields of the key of an element of this type; those in `needed` must be there. */
export function elementFields(type: SetType): { needed: readonly Field[]; allowed: readonly Field[] } {
  const needed: Field[] = [];
  const allowed: Field[] = [];
  let addresses = 0;
  for (const dimension of type.dimensions) {
    if (dimension === 'ip' || dimension === 'net') {
      addresses++;
      const second = addresses === 2;
      needed.push(second ? 'ip2' : 'ip');
      const isNet = dimension === 'net';
      if (isNet || (!second && type.addressRanges)) allowed.push(...addressExtent(second));
    } else if (dimension === 'port') {
      needed.push('port');
      if (type.name !== 'bitmap:port') needed.push('protocol');
      allowed.push('portTo');
    } else if (dimension === 'iface') {
      needed.push('iface');
      allowed.push('physdev');
    } else if (dimension === 'set') {
      needed.push('name');
      allowed.push('before', 'after');
    } else if (dimension === 'mac' && type.method === 'bitmap') {
      // the kernel fills it in from the first packet that matches
      allowed.push('mac');
    } else {
      needed.push(dimension);
    }
  }
  if (type.since.nomatch !== undefined) allowed.push('nomatch');
  if (type.since.wildcard !== undefined) allowed.push('wildcard');
  return { needed, allowed: [...needed, ...allowed] };
}

function addressExtent(second: boolean): readonly Field[] {
  return second ? ['ip2To', 'cidr2'] : ['ipTo', 'cidr'];
}

const extensionFields = new Set<Field>([
  'timeout',
  'packets',
  'bytes',
  'comment',
  'skbMark',
  'skbPriority',
  'skbQueue',
]);

const keys = new Map<SetType, { needed: readonly Field[]; allowed: ReadonlySet<Field> }>();

function keyOf(type: SetType) {
  let key = keys.get(type);
  if (!key) {
    const { needed, allowed } = elementFields(type);
    key = { needed, allowed: new Set(allowed) };
    keys.set(type, key);
  }
  return key;
}

/**
 * Checks that an element has the fields that make a key of its set, of the right family and range.
 * @throws EncodeError with the field's name as path.
 */
export function checkKey(element: Element, set: SetShape, use: ElementUse): void {
  const { needed, allowed } = keyOf(set.type);
  for (const field of needed) {
    if (element[field] === undefined) {
      throw new EncodeError(`an element of set ${set.name} (${set.type.name}) needs it`, field);
    }
  }
  for (const name in element) {
    const field = name as Field;
    if (element[field] === undefined || element[field] === false) continue;
    if (!allowed.has(field) && !extensionFields.has(field)) {
      throw new EncodeError(`an element of set ${set.name} (${set.type.name}) has none`, field);
    }
  }
  checkFeature('nomatch', element.nomatch, set);
  checkFeature('wildcard', element.wildcard, set);
  checkAddress(element, set, use, '');
  checkAddress(element, set, use, '2');
  checkPorts(element, use);
  if (element.mac !== undefined && !parseMac(element.mac)) {
    throw new EncodeError(`${JSON.stringify(element.mac)} is no MAC address, 02:00:00:00:00:01`, 'mac');
  }
  if (element.iface === '') throw new EncodeError('the name of an interface is not empty', 'iface');
  if (element.before !== undefined && element.after !== undefined) {
    throw new EncodeError('a member stands before another or after another, not both', 'after');
  }
}

function checkFeature(feature: 'nomatch' | 'wildcard', wanted: boolean | undefined, set: SetShape): void {
  const since = set.type.since[feature];
  if (wanted && since !== undefined && since > set.revision) {
    throw new EncodeError(
      `set ${set.name} has revision ${set.revision} of ${set.type.name}, ${since} is needed`,
      feature,
    );
  }
}

/** Checks one address of the key with its range or prefix; `which` is '' for ip and '2' for ip2. */
function checkAddress(element: Element, set: SetShape, use: ElementUse, which: '' | '2'): void {
  const field = `ip${which}` as const;
  const toField = `ip${which}To` as const;
  const cidrField = `cidr${which}` as const;
  const address = element[field];
  if (address === undefined) return;
  const [to, cidr] = [element[toField], element[cidrField]];
  const bits = set.family === AF.INET6 ? 128 : 32;
  if (to !== undefined) {
    if (use === 'test') throw new EncodeError('a test takes one element, not a range', toField);
    if (cidr !== undefined) throw new EncodeError('a range has no prefix length', cidrField);
    if (bits === 128) throw new EncodeError('the kernel takes no ranges of IPv6 addresses', toField);
  }
  if (cidr === undefined) return;
  const isNet = isNetwork(set.type, which);
  const least = zeroPrefix(set, isNet) ? 0 : 1;
  if (!Number.isInteger(cidr) || cidr < least || cidr > bits) {
    throw new EncodeError(`${cidr} is not a prefix length from ${least} to ${bits}`, cidrField);
  }
  if (isNet || cidr === bits) return;
  // the kernel ignores the prefix of a tested host
  if (use === 'test')
    throw new EncodeError(`set ${set.name} (${set.type.name}) holds hosts: test one`, cidrField);
  if (bits === 128) throw new EncodeError('the kernel takes no networks of IPv6 hosts: only 128', cidrField);
}

/** Whether the type's first or second address is a network rather than a host. */
function isNetwork(type: SetType, which: '' | '2'): boolean {
  const addresses = type.dimensions.filter((each) => each === 'ip' || each === 'net');
  return addresses[which === '' ? 0 : 1] === 'net';
}

/** Only these types hold a network of prefix length 0; the others answer IPSET_ERR_INVALID_CIDR. */
function zeroPrefix(set: SetShape, isNet: boolean): boolean {
  if (!isNet) return false;
  return set.type.name === 'hash:net,iface' ? set.revision >= 2 : set.type.name === 'hash:net,port,net';
}

/**
 * The bytes of an address of the set's family.
 * @throws EncodeError with the field's name as path.
 */
export function addressBytes(address: string, set: SetShape, field: Field): Uint8Array {
  const bytes = typeof address === 'string' ? parseAddress(address) : undefined;
  if (!bytes) throw new EncodeError(`${JSON.stringify(address)} is not an address`, field);
  const wanted = set.family === AF.INET6 ? 16 : 4;
  if (bytes.length === wanted) return bytes;
  throw new EncodeError(
    `${address} is an IPv${bytes.length === 4 ? 4 : 6} address, set ${set.name} (${set.type.name}) ` +
      `holds IPv${wanted === 4 ? 4 : 6} addresses`,
    field,
  );
}

function checkPorts(element: Element, use: ElementUse): void {
  const { port, portTo, protocol } = element;
  if (protocol === 0) throw new EncodeError('0 is no protocol', 'protocol');
  if (portTo === undefined) return;
  if (use === 'test') throw new EncodeError('a test takes one element, not a range', 'portTo');
  if (portTo < port!) throw new EncodeError(`${portTo} is below the first port ${port}`, 'portTo');
}
