import type { Batch } from '../nfnetlink/transport.ts';

/**
 * Hands datagrams over as one batch, and overwrites it afterwards as the kernel's next one does: who keeps what is
 * valid during the callback only sees that.
 */
export function handBatch(datagrams: readonly Uint8Array[], callback: (batch: Batch) => void): void {
  const buffer = new Uint8Array(datagrams.reduce((length, { length: more }) => length + more, 0));
  const bounds = new Uint32Array(2 * datagrams.length);
  let offset = 0;
  for (const [i, datagram] of datagrams.entries()) {
    buffer.set(datagram, offset);
    bounds[2 * i] = offset;
    offset += datagram.length;
    bounds[2 * i + 1] = offset;
  }
  callback({ buffer, count: datagrams.length, bounds });
  buffer.fill(0xa5);
}
