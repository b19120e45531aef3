/** Capture files of netlink datagrams: pcap and pcapng as Wireshark, tcpdump and nlmon devices have them. */
export { CaptureError } from './captureError.ts';
export { type CapturedDatagram, isOtherByteOrder } from './datagram.ts';
export { CaptureReader, type CaptureTotals, isCapture, MAGIC_BYTES, readCapture } from './reader.ts';
export {
  type CaptureOrigin,
  CaptureWriter,
  type DatagramNote,
  type InterfaceCounts,
  wholeBlocks,
} from './writer.ts';
