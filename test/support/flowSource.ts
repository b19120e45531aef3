/**
 * Makes conntrack events without traffic: entries are created and deleted by ctnetlink messages, a
 * thousand in one datagram, all of which the kernel works through inside the send. Raw bytes on purpose: what
 * tests the sockets does not depend on the codecs.
 */
import type { Transport } from '../../src/nfnetlink/transport.ts';

/** IPCTNL_MSG_CT_NEW, TCP 192.0.2.1 to 198.51.100.101:80, 200 s; without NLM_F_ACK, so nothing answers. */
const create = message(
  '8c000000000101062604000000000000020000003400018014000180' +
    '08000100c000020108000200c63364651c000280050001000600000006000200044c000006000300005000003400028014000180' +
    '08000100c633646508000200c00002011c0002800500010006000000060002000050000006000300044c0000' +
    '08000700000000c80800080000000001',
);
/** IPCTNL_MSG_CT_DELETE of that flow by its original tuple, without NLM_F_ACK. */
const remove = message(
  '48000000020101000000000000000000020000003400018014000180' +
    '08000100c000020108000200c63364651c000280050001000600000006000200044c00000600030000500000',
);
/** IPCTNL_MSG_CT_GET, a dump of the whole table. */
const dump = message('14000000010101032c0400000000000000000000');

const atOriginalSource = 32;
const atReplyDestination = 92;
const messagesPerDatagram = 1000;

function message(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

function sendEach(transport: Transport, template: Uint8Array, first: number, count: number): void {
  const isCreate = template === create;
  for (let done = 0; done < count; done += messagesPerDatagram) {
    const messages = Math.min(messagesPerDatagram, count - done);
    const datagram = new Uint8Array(messages * template.length);
    const view = new DataView(datagram.buffer);
    for (let i = 0; i < messages; i++) {
      const at = i * template.length;
      const address = 0x0a000000 + first + done + i; // 10.0.0.0/8
      datagram.set(template, at);
      view.setUint32(at + atOriginalSource, address);
      if (isCreate) view.setUint32(at + atReplyDestination, address);
    }
    transport.send(datagram);
  }
}

/** Creates flows number `first` to `first + count - 1`: one NEW event each, before this returns. */
export function createFlows(transport: Transport, first: number, count: number): void {
  sendEach(transport, create, first, count);
}

/** Deletes them again: one DESTROY event each. */
export function deleteFlows(transport: Transport, first: number, count: number): void {
  sendEach(transport, remove, first, count);
}

/** Asks for all flows; the answer ends with NLMSG_DONE. */
export function requestDump(transport: Transport): void {
  transport.send(dump);
}

/** The source address's number of the flow in an event that `createFlows` or `deleteFlows` caused. */
export function flowNumber(buffer: Uint8Array, start: number): number {
  const at = start + atOriginalSource;
  return (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
}
