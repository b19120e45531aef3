/** Capture files of netlink datagrams: pcap and pcapng as Wireshark, tcpdump and nlmon devices have them. */
export { CaptureError } from './captureError.ts';
export { PACKET } from './constants.ts';
export { type CapturedDatagram, isOtherByteOrder } from './datagram.ts';
export { CaptureReader, type CaptureTotals, isCapture, readCapture } from './reader.ts';
