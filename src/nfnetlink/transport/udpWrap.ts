/** The parts of Node's internal udp_wrap that open and read a descriptor which exists already. */
export interface UdpHandle {
  open(fd: number): number;
  recvStart(): number;
  recvStop(): number;
  /** Negative errno, 0 when the send waits in the handle's queue, else the bytes sent plus one. */
  send(request: SendRequest, buffers: readonly Uint8Array[], count: number, hasCallback: boolean): number;
  /** Sets SO_RCVBUF or SO_SNDBUF, or with 0 reads it; undefined on failure, told in the context. */
  bufferSize(
    bytes: number,
    isReceive: boolean,
    context: { code?: string; errno?: number },
  ): number | undefined;
  close(done: () => void): void;
  ref(): void;
  unref(): void;
  onmessage: (size: number, handle: UdpHandle, datagram: Uint8Array | undefined) => void;
  onerror: (status: number) => void;
}

export interface SendRequest {
  oncomplete: (status: number) => void;
  /** What is to be sent, kept referenced while it waits. */
  buffers?: readonly Uint8Array[];
}

export interface UdpWrap {
  readonly UDP: new () => UdpHandle;
  readonly SendWrap: new () => SendRequest;
}

let loaded: UdpWrap | string | undefined;

function load(): UdpWrap | string {
  const { binding } = process as unknown as { binding?: (name: string) => UdpWrap };
  if (typeof binding !== 'function') return 'this runtime has no process.binding';
  const { noDeprecation } = process;
  try {
    // no public function gives a descriptor to a UDP handle, so the advice of DEP0111 helps nobody
    process.noDeprecation = true;
    return binding.call(process, 'udp_wrap');
  } catch (error) {
    return `process.binding('udp_wrap'): ${(error as Error).message}`;
  } finally {
    if (noDeprecation === undefined) Reflect.deleteProperty(process, 'noDeprecation');
    else process.noDeprecation = noDeprecation;
  }
}

/** Node's UDP handles, or the reason why there are none. Does not throw. */
export function udpWrap(): UdpWrap | string {
  loaded ??= load();
  return loaded;
}
