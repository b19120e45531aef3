import type { TransportError } from '../errors.ts';
import type { FfiLibrary } from './ffiLibrary.ts';
import { AF, NETLINK, SO, SOCK, SOCKADDR_NL_SIZE, SOL } from './socketConstants.ts';
import { socketError } from './socketError.ts';

/** The system calls on one netlink socket, each failure as a TransportError. */
export class FfiSocket {
  readonly fd: number;
  readonly #system: FfiLibrary;
  readonly #int = new Int32Array(1);
  readonly #length = new Uint32Array(1);

  /** @throws TransportError EPROTONOSUPPORT, EMFILE, ... */
  constructor(system: FfiLibrary, protocol: number) {
    this.#system = system;
    this.fd = system.c.socket(AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC | SOCK.NONBLOCK, protocol);
    if (this.fd < 0) throw this.#failed('socket');
  }

  /** Binds to an address of the kernel's choice and returns it. */
  bind(): number {
    const address = new Uint8Array(SOCKADDR_NL_SIZE);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF.NETLINK, true);
    const { c } = this.#system;
    if (c.bind(this.fd, address, SOCKADDR_NL_SIZE) < 0) throw this.#failed('bind');
    this.#length[0] = SOCKADDR_NL_SIZE;
    if (c.getsockname(this.fd, address, this.#length) < 0) throw this.#failed('getsockname');
    return view.getUint32(4, true);
  }

  /** Asks for extended acks with the whole request in them (the offsets in an ack count from its start). */
  wantExtendedAcks(): void {
    // kernels before 4.12 have neither option: an ack is then an errno alone
    this.#set(SOL.NETLINK, NETLINK.EXT_ACK, 1);
    this.#set(SOL.NETLINK, NETLINK.CAP_ACK, 0);
  }

  join(group: number): void {
    if (!this.#set(SOL.NETLINK, NETLINK.ADD_MEMBERSHIP, group)) {
      throw this.#failed(`setsockopt NETLINK_ADD_MEMBERSHIP ${group}`);
    }
  }

  /** Above net.core.rmem_max where the process may (CAP_NET_ADMIN), else up to it. */
  setReceiveBuffer(bytes: number): void {
    if (this.#set(SOL.SOCKET, SO.RCVBUFFORCE, bytes)) return;
    if (!this.#set(SOL.SOCKET, SO.RCVBUF, bytes)) throw this.#failed('setsockopt SO_RCVBUF');
  }

  receiveBuffer(): number {
    this.#length[0] = 4;
    const got = this.#system.c.getsockopt(this.fd, SOL.SOCKET, SO.RCVBUF, this.#int, this.#length);
    if (got < 0) throw this.#failed('getsockopt SO_RCVBUF');
    return this.#int[0]!;
  }

  send(datagram: Uint8Array): void {
    const sent = this.#system.c.send(this.fd, datagram, BigInt(datagram.length), 0);
    if (sent < 0n) throw this.#failed('send');
  }

  close(): void {
    this.#system.c.close(this.fd);
  }

  #set(level: number, option: number, value: number): boolean {
    this.#int[0] = value;
    return this.#system.c.setsockopt(this.fd, level, option, this.#int, 4) === 0;
  }

  #failed(syscall: string): TransportError {
    return socketError(syscall, this.#system.errno());
  }
}
