/** One datagram that is to be printed: a line of hexadecimal digits, or a packet of a capture file. */
export interface InputDatagram {
  /** Where it is in its input: 'line 3', 'datagram 3'. */
  readonly place: string;
  /** Valid until the next is asked for. */
  readonly bytes: Uint8Array;
  /** Why it cannot be read; `bytes` holds what came before. */
  readonly fault?: string;
  /** What a capture says of it; a line of digits has none. */
  readonly captured?: CaptureFacts;
}

/** What a capture file says of a datagram, in the form of the JSON output; absent is what it does not say. */
export interface CaptureFacts {
  /** ISO 8601 in UTC, to the nanosecond. */
  readonly time?: string;
  /** The netlink family, where it is not 12, netfilter's. */
  readonly protocol?: number;
  /** How many datagrams before it are missing. */
  readonly lost?: number;
  readonly comments?: readonly string[];
}
