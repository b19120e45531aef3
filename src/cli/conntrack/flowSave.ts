import { CTA, CTA_PROTOINFO_SCTP, IPPROTO, IPS } from '../../ctnetlink/constants.ts';
import type { EventKind, FlowView } from '../../ctnetlink/flowView.ts';
import { isDestinationNat, isSourceNat, stateOf, vtagOf } from './flowFacts.ts';
import { PROTOCOLS } from './protocols.ts';

const commands: Readonly<Record<EventKind, string>> = { new: '-A', update: '-U', destroy: '-D' };

/** Status bits that a saved flow carries, in the order in which they are named. */
const statusWords: readonly (readonly [number, string])[] = [
  [IPS.EXPECTED, 'EXPECTED'],
  [IPS.SEEN_REPLY, 'SEEN_REPLY'],
  [IPS.ASSURED, 'ASSURED'],
  [IPS.FIXED_TIMEOUT, 'FIXED_TIMEOUT'],
];

/** A flow as the command line that makes it again: -o save. */
export function flowSave(view: FlowView, event: EventKind): string {
  const { original, reply } = view;
  const first = original.toTuple();
  const second = reply.toTuple();
  const words: string[] = [commands[event]];
  if (view.has(CTA.TIMEOUT)) words.push('-t', String(view.timeout));
  if (view.has(CTA.STATUS)) words.push('-u', statusNames(view.status));
  if (view.has(CTA.ZONE)) words.push('-w', String(view.zone));
  if (first.zone !== undefined) words.push('--orig-zone', String(first.zone));
  if (second.zone !== undefined) words.push('--reply-zone', String(second.zone));
  words.push('-s', first.source!, '-d', first.destination!);
  words.push(isDestinationNat(view) ? '-g' : '-r', second.source!);
  words.push(isSourceNat(view) ? '-n' : '-q', second.destination!);
  words.push(...protocolWords(view));
  return words.join(' ');
}

function statusNames(status: number): string {
  const names = statusWords.filter(([bit]) => (status & bit) !== 0).map(([, name]) => name);
  return names.length > 0 ? names.join(',') : 'UNSET';
}

function protocolWords(view: FlowView): string[] {
  const { original, reply } = view;
  const protocol = PROTOCOLS.find(({ number }) => number === original.protocol);
  if (!protocol) return ['-p', String(original.protocol)];
  const words = ['-p', protocol.name];
  if (original.icmpType !== undefined) {
    const { icmpType, icmpCode = 0, icmpId = 0 } = original;
    const option = `--${protocol.name}`;
    words.push(`${option}-type`, String(icmpType), `${option}-code`, String(icmpCode));
    words.push(`${option}-id`, String(icmpId));
  }
  if (original.hasPorts) {
    const [source, destination, what] =
      protocol.number === IPPROTO.GRE ? ['srckey', 'dstkey', 'key'] : ['sport', 'dport', 'port'];
    words.push(
      `--${source}`,
      String(original.sourcePort),
      `--${destination}`,
      String(original.destinationPort),
    );
    words.push(`--reply-${what}-src`, String(reply.sourcePort));
    words.push(`--reply-${what}-dst`, String(reply.destinationPort));
  }
  const state = stateOf(view)?.state;
  if (state !== undefined && protocol.states) words.push('--state', protocol.states[state] ?? 'NONE');
  for (const [option, type] of vtags) {
    const tag = vtagOf(view, type);
    if (tag !== undefined) words.push(option, String(tag));
  }
  return words;
}

const vtags = [
  ['--orig-vtag', CTA_PROTOINFO_SCTP.VTAG_ORIGINAL],
  ['--reply-vtag', CTA_PROTOINFO_SCTP.VTAG_REPLY],
] as const;
