import { formatMac } from '../../ipset/mac.ts';
import { formatPort } from '../../ipset/protocolText.ts';
import { formatAddress } from '../../nfnetlink/index.ts';
import type { Draft } from './draft.ts';
import { hexadecimal } from './elementText.ts';
import type { NetworkDatabase } from './netdb.ts';
import type { PartReader } from './typeGrammar.ts';

/** The element that was asked for, in the words of ipset(8): '10.0.0.0/8,tcp:80'. */
export function draftElementText(draft: Draft, database: NetworkDatabase): string {
  const parts = (draft.type?.grammar.parts ?? []).map((part, i) => partText(draft, part, i > 0, database));
  return parts.filter((part) => part !== undefined).join(',');
}

function partText(
  draft: Draft,
  part: PartReader,
  isSecond: boolean,
  database: NetworkDatabase,
): string | undefined {
  switch (part) {
    case 'mac':
      return draft.ether && formatMac(draft.ether);
    case 'port':
      return String(draft.port ?? 0);
    case 'protoPort':
      return protocolPort(draft, database);
    case 'mark':
      return hexadecimal(draft.mark ?? 0);
    case 'iface':
      // ipset(8) leaves out physdev here
      return draft.iface;
    case 'setName':
      // and calls every neighbour one that comes before
      return draft.nameReference === undefined ? draft.name : `${draft.name} after ${draft.nameReference}`;
    default:
      // of a range in the second place ipset(8) prints the beginning alone
      return isSecond ? extent(draft.ip2, draft.cidr2) : extent(draft.ip, draft.cidr, draft.ipTo);
  }
}

function extent(ip: Draft['ip'], cidr: number | undefined, to?: Draft['ipTo']): string {
  const bytes = ip as Uint8Array;
  const suffix = cidr === undefined || cidr === bytes.length * 8 ? '' : `/${cidr}`;
  const from = `${formatAddress(bytes)}${suffix}`;
  return to === undefined ? from : `${from}-${formatAddress(to as Uint8Array)}${suffix}`;
}

function protocolPort({ protocol = 0, port = 0 }: Draft, database: NetworkDatabase): string {
  const name = database.protocolByNumber(protocol) ?? String(protocol);
  return `${name}:${formatPort(port, protocol)}`;
}
