import type { FlowDraft, TupleDraft } from './draft.ts';
import { wrongParameter } from './exit.ts';
import type { ProtocolChoice } from './protocolNames.ts';
import type { Protocol, ProtocolField } from './protocols.ts';
import { LIMIT, parseDecimal, parseNumber } from './values.ts';

/** The tuples that options of protocols write to. */
export interface ProtocolTargets {
  readonly draft: FlowDraft;
  readonly expected: TupleDraft;
  readonly mask: TupleDraft;
}

/** Reads the value of one option of a protocol and puts it where it belongs. @throws ConntrackExit */
export function applyProtocolOption(
  { known, number }: ProtocolChoice,
  field: ProtocolField,
  text: string,
  targets: ProtocolTargets,
): void {
  const own = known?.options.find((option) => option.field === field);
  // an option of a protocol that a second -p has replaced
  if (!known || !own) return;
  const [where, end] = field.split('.') as [string, 'sourcePort' | 'destinationPort' | undefined];
  if (end !== undefined) {
    const tuple = tupleNamed(where, targets);
    // keys of GRE may be hexadecimal
    const parse = known.name === 'gre' ? parseNumber : parseDecimal;
    tuple[end] = parse(text, LIMIT.u16, own.name);
    tuple.protocol = number;
    return;
  }
  applyOther(known, field, own.name, text, targets.draft);
}

function tupleNamed(name: string, { draft, expected, mask }: ProtocolTargets): TupleDraft {
  if (name === 'original') return draft.original;
  if (name === 'reply') return draft.reply;
  return name === 'mask' ? mask : expected;
}

function applyOther(
  protocol: Protocol,
  field: ProtocolField,
  name: string,
  text: string,
  draft: FlowDraft,
): void {
  switch (field) {
    case 'icmpType':
    case 'icmpCode':
      draft[field] = parseDecimal(text, LIMIT.u8, name);
      draft.reply.protocol = protocol.number;
      break;
    case 'icmpId':
      draft.icmpId = parseDecimal(text, LIMIT.u16, name);
      draft.reply.protocol = protocol.number;
      break;
    case 'originalVtag':
    case 'replyVtag':
      draft[field] = parseDecimal(text, LIMIT.u32, name);
      break;
    case 'role':
      draft.dccpRole = dccpRole(text);
      break;
    default:
      applyState(protocol, text, draft);
  }
}

function applyState(protocol: Protocol, text: string, draft: FlowDraft): void {
  // TCP's LISTEN has been SYN_SENT2 since Linux 2.6.31
  const wanted = protocol.name === 'tcp' && text === 'LISTEN' ? 'SYN_SENT2' : text;
  const state = protocol.states?.indexOf(wanted) ?? -1;
  if (state < 0) throw wrongParameter(`${protocol.stateError} \`${text}'`);
  if (protocol.name === 'tcp') draft.tcpState = state;
  else if (protocol.name === 'sctp') draft.sctpState = state;
  else draft.dccpState = state;
}

function dccpRole(text: string): number {
  const role = ['client', 'server'].findIndex((name) => name.startsWith(text.toLowerCase()));
  if (role < 0) throw wrongParameter(`Unknown DCCP role \`${text}'`);
  return role;
}
