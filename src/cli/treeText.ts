import { toHex } from '../nfnetlink/bytes.ts';
import type { AttributeTree, DatagramTree, MessageTree } from '../nfnetlink/tree.ts';
import { familyName, meaningOf, messageFlagNames } from './meanings.ts';

/** Where each part of a tree begins, as decodeTree tells its listener. */
export type Offsets = ReadonlyMap<AttributeTree | MessageTree, number>;

export interface TreeTextOptions {
  /** The datagram, where its bytes are to stand beside their meaning. */
  readonly bytes?: Uint8Array;
}

const HEX_COLUMNS = 38;

/** A datagram as indented lines: byte offset, name, type and flags, value and what it means. */
export function treeText(tree: DatagramTree, offsets: Offsets, { bytes }: TreeTextOptions = {}): string {
  const lines: string[] = [];
  const add = (offset: number, depth: number, text: string, length: number): void => {
    const address = offset.toString(16).padStart(4, '0');
    const hex = bytes ? `${hexWords(bytes, offset, length).padEnd(HEX_COLUMNS)}  ` : '';
    lines.push(`${address} ${hex}${'  '.repeat(depth)}${text}\n`);
  };
  const addAttributes = (nodes: readonly AttributeTree[], depth: number): void => {
    for (const node of nodes) {
      const at = offsets.get(node) ?? 0;
      add(at, depth, attributeText(node), node.nested ? 4 : node.len);
      if (node.nested) addAttributes(node.nested, depth + 1);
    }
  };
  for (const message of tree.messages) {
    const at = offsets.get(message) ?? 0;
    add(at, 0, headerText(message), 16);
    if (message.nfgenmsg) {
      const { family, version, res_id } = message.nfgenmsg;
      const name = familyName(family);
      add(
        at + 16,
        1,
        `nfgenmsg family=${family}${name ? `(${name})` : ''} version=${version} res_id=${res_id}`,
        4,
      );
    }
    if (message.error !== undefined) addError(message, at, add);
    if (message.payload) add(at + (message.nfgenmsg ? 20 : 16), 1, `payload = ${message.payload}`, 0);
    addAttributes(message.attrs ?? [], 1);
    addAttributes(message.tlvs ?? [], 1);
  }
  return lines.join('');
}

function headerText({ header, kind }: MessageTree): string {
  const { nlmsg_len, nlmsg_type, nlmsg_flags, nlmsg_seq, nlmsg_pid } = header;
  const flags = messageFlagNames(nlmsg_type, nlmsg_flags);
  return (
    `${kind} len=${nlmsg_len} type=0x${nlmsg_type.toString(16).padStart(4, '0')} ` +
    `flags=0x${nlmsg_flags.toString(16)}${flags ? `(${flags})` : ''} seq=${nlmsg_seq} portid=${nlmsg_pid}`
  );
}

function addError(
  message: MessageTree,
  at: number,
  add: (offset: number, depth: number, text: string, length: number) => void,
): void {
  add(at + 16, 1, `error = ${message.error}${message.errno ? ` ${message.errno}` : ''}`, 4);
  if (!message.orig_header) return;
  const { orig_header: header, orig_kind: kind, orig_payload_len: length } = message;
  const name = kind ?? `message type ${header.nlmsg_type}`;
  const flags = messageFlagNames(header.nlmsg_type, header.nlmsg_flags);
  add(at + 20, 1, `of ${name} len=${header.nlmsg_len} flags=${flags || '0'} seq=${header.nlmsg_seq}`, 16);
  if (length) add(at + 36, 1, `echoed payload, ${length} bytes`, length);
}

function attributeText(node: AttributeTree): string {
  const flags = `${node.nested_flag ? '|NESTED' : ''}${node.net_byteorder_flag ? '|NET_BYTEORDER' : ''}`;
  const head = `${node.attr} type=${node.type}${flags}`;
  if (node.nested) return `${head} len=${node.len}`;
  const value = typeof node.value === 'object' ? JSON.stringify(node.value) : String(node.value);
  const meaning = meaningOf(node.attr, node.value);
  // text from the wire may hold anything: what would move a terminal's cursor is written as escapes
  const shown = node.fmt === 'string' ? JSON.stringify(node.value) : value;
  return `${head} ${node.fmt} = ${shown}${meaning ? ` (${meaning})` : ''}`;
}

function hexWords(bytes: Uint8Array, offset: number, length: number): string {
  const shown = toHex(bytes, offset, offset + Math.min(length, 16)).replace(/.{8}(?=.)/g, '$& ');
  return length > 16 ? `${shown} +` : shown;
}
