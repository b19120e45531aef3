import { EncodeError, parseAddress } from '../nfnetlink/index.ts';
import type { Element } from './element.ts';
import { formatPort, formatProtocol, parsePort, parseProtocol } from './protocolText.ts';
import type { Dimension, SetType } from './setType.ts';

/**
 * Elements in the syntax of ipset(8), without its look-ups: addresses and ports are numbers, not names of
 * hosts and services.
 */

type Draft = { -readonly [K in keyof Element]: Element[K] };

const TCP = 6;

/**
 * The key of an element: '10.0.0.0/8', '10.0.0.1-10.0.0.9,tcp:80', '::1,icmpv6:ping', '10.0.0.0/8,physdev:eth0'.
 * Whether it fits the family of a set is seen when it is written.
 * @throws EncodeError where a part is not what the type has in its place.
 */
export function parseElement(text: string, type: SetType): Element {
  const parts = text.split(',');
  const { dimensions } = type;
  const least = type.name === 'bitmap:ip,mac' ? 1 : dimensions.length;
  if (parts.length < least || parts.length > dimensions.length) {
    throw new EncodeError(
      `${JSON.stringify(text)} has ${parts.length} parts, ${type.name} has ${dimensions.length}`,
    );
  }
  const element: Draft = {};
  parts.forEach((part, i) => {
    if (!parsePart(element, part, dimensions[i]!, type)) {
      throw new EncodeError(
        `${JSON.stringify(part)} is not what ${type.name} has in part ${i + 1} (${dimensions[i]})`,
      );
    }
  });
  return element;
}

function parsePart(element: Draft, part: string, dimension: Dimension, type: SetType): boolean {
  switch (dimension) {
    case 'ip':
    case 'net':
      return parseExtent(element, part, element.ip === undefined ? '' : '2');
    case 'port':
      return parsePorts(element, part, type);
    case 'mac':
      element.mac = part;
      return true;
    case 'mark':
      element.mark = Number(part);
      return /^(?:\d+|0x[0-9a-f]+)$/i.test(part);
    case 'iface':
      if (part.startsWith('physdev:')) element.physdev = true;
      element.iface = part.replace(/^physdev:/, '');
      return element.iface !== '';
    case 'set':
      element.name = part;
      return part !== '';
  }
}

function parseExtent(element: Draft, part: string, which: '' | '2'): boolean {
  const [, ip, cidr, to] = /^([^/-]+)(?:\/(\d{1,3})|-([^/-]+))?$/.exec(part) ?? [];
  if (ip === undefined || !parseAddress(ip)) return false;
  if (to !== undefined && !parseAddress(to)) return false;
  element[`ip${which}`] = ip;
  if (cidr !== undefined) element[`cidr${which}`] = Number(cidr);
  if (to !== undefined) element[`ip${which}To`] = to;
  return true;
}

function parsePorts(element: Draft, part: string, type: SetType): boolean {
  const colon = part.indexOf(':');
  const protocol = colon === -1 ? TCP : parseProtocol(part.slice(0, colon));
  if (protocol === undefined) return false;
  const ports = part.slice(colon + 1);
  // a name of ICMP has dashes of its own
  const range = /^(\d+)-(\d+)$/.exec(ports);
  const port = parsePort(range ? range[1]! : ports, protocol);
  const portTo = range ? parsePort(range[2]!, protocol) : undefined;
  if (port === undefined || (range && portTo === undefined)) return false;
  element.port = port;
  if (portTo !== undefined) element.portTo = portTo;
  if (type.name !== 'bitmap:port') element.protocol = protocol;
  return true;
}

/** The key of an element, as `ipset save` prints it. */
export function formatElement(element: Element, type: SetType): string {
  let isSecond = false;
  const parts: string[] = [];
  for (const dimension of type.dimensions) {
    switch (dimension) {
      case 'ip':
      case 'net':
        parts.push(formatExtent(element, isSecond ? '2' : ''));
        isSecond = true;
        break;
      case 'port':
        parts.push(formatPorts(element));
        break;
      case 'mac':
        if (element.mac !== undefined) parts.push(element.mac);
        break;
      case 'mark':
        parts.push(`0x${(element.mark ?? 0).toString(16).padStart(8, '0')}`);
        break;
      case 'iface':
        parts.push(`${element.physdev ? 'physdev:' : ''}${element.iface ?? ''}`);
        break;
      case 'set':
        parts.push(element.name ?? '');
        break;
    }
  }
  return parts.join(',');
}

function formatExtent(element: Element, which: '' | '2'): string {
  const ip = element[`ip${which}`] ?? '';
  const to = element[`ip${which}To`];
  if (to !== undefined) return `${ip}-${to}`;
  const cidr = element[`cidr${which}`];
  const isHost = cidr === undefined || cidr === (ip.includes(':') ? 128 : 32);
  return isHost ? ip : `${ip}/${cidr}`;
}

function formatPorts({ port = 0, portTo, protocol }: Element): string {
  const range = portTo === undefined ? '' : `-${portTo}`;
  if (protocol === undefined) return `${port}${range}`;
  return `${formatProtocol(protocol)}:${formatPort(port, protocol)}${range}`;
}

/** The extensions of an element, as `ipset save` prints them behind the key: 'timeout 9 comment "x"'. */
export function formatExtensions(element: Element): string {
  const parts: string[] = [];
  if (element.timeout !== undefined) parts.push(`timeout ${element.timeout}`);
  if (element.nomatch) parts.push('nomatch');
  if (element.wildcard) parts.push('wildcard');
  if (element.packets !== undefined) parts.push(`packets ${element.packets}`);
  if (element.bytes !== undefined) parts.push(`bytes ${element.bytes}`);
  if (element.comment !== undefined) parts.push(`comment "${element.comment}"`);
  if (element.skbMark) parts.push(`skbmark ${formatMark(element.skbMark)}`);
  if (element.skbPriority !== undefined) parts.push(`skbprio ${formatClass(element.skbPriority)}`);
  if (element.skbQueue !== undefined) parts.push(`skbqueue ${element.skbQueue}`);
  return parts.join(' ');
}

function formatMark({ mark, mask }: { mark: number; mask: number }): string {
  const suffix = mask === 0xffffffff ? '' : `/0x${mask.toString(16)}`;
  return `0x${mark.toString(16)}${suffix}`;
}

function formatClass(priority: number): string {
  return `${(priority >>> 16).toString(16)}:${(priority & 0xffff).toString(16)}`;
}
