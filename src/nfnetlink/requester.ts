/** How one request may end before its answer. */
export interface RequestOptions {
  /** Aborts the wait with the signal's reason. What the kernel already did stays done. */
  readonly signal?: AbortSignal;
  /** Milliseconds without any answer to this request before TimeoutError; the connection's default is 5000. */
  readonly timeout?: number;
}

/**
 * Reads one whole message, nlmsghdr included, in place. The bytes are valid during the call only.
 * Must not throw but DecodeError, which fails the request it belongs to and no other.
 */
export type MessageDecoder<T> = (bytes: Uint8Array, start: number, end: number) => T;

/** Hears the answers to a pipeline. All bytes are valid during the call only. */
export interface PipelineHandler {
  /** A data message that answers request number `index` of the pipeline. */
  onData?(index: number, bytes: Uint8Array, start: number, end: number): void;
  /**
   * The end of request number `index`, in order: errno is 0 or positive. Where it is positive the bytes are the
   * NLMSG_ERROR message (decodeRefusal makes the KernelError, for those who want one).
   */
  onAck(index: number, errno: number, bytes: Uint8Array, start: number, end: number): void;
}

/**
 * A conversation with the kernel on a socket that has joined no group. Messages are whole netlink
 * messages (encodeRequest); sequence numbers, and NLM_F_REQUEST and NLM_F_ACK, are set by the connection.
 * Clients of subsystems are written against this, so that a scripted kernel can stand in.
 */
export interface Requester {
  /**
   * Sends one message and resolves at its acknowledgement.
   * @throws KernelError where the kernel refused it; TransportError, TimeoutError, OverrunError,
   * ClosedError, or the signal's reason, where nothing is known of what the kernel did.
   */
  acknowledge(message: Uint8Array, options?: RequestOptions): Promise<void>;

  /**
   * Sends one message that is answered by data and an acknowledgement; resolves with what `decode` made
   * of each data message, once the acknowledgement has come too.
   */
  query<T>(message: Uint8Array, decode: MessageDecoder<T>, options?: RequestOptions): Promise<T[]>;

  /**
   * Sends many messages, up to 64 a datagram, straight from `messages` (concatenated, each a multiple of
   * four long; their sequence numbers are written in place, so the bytes belong to the connection until it
   * resolves). Resolves when every one is acknowledged; refusals go to the handler and end nothing.
   */
  pipeline(messages: Uint8Array, handler: PipelineHandler, options?: RequestOptions): Promise<void>;

  /**
   * Sends a dump request and hands over the decoded entries as the kernel delivers them. A slow consumer
   * makes the socket wait (the kernel keeps the rest), so memory does not grow with the table. Leaving the
   * loop early drains the rest of the dump unseen.
   * @throws KernelError for the errno in NLMSG_DONE; DumpInterruptedError at the end where the table changed.
   */
  dump<T>(message: Uint8Array, decode: MessageDecoder<T>, options?: RequestOptions): AsyncIterable<T>;

  /**
   * The same dump, each entry visited in place as it arrives: the fastest way through a large table. A visitor
   * that returns a promise makes the socket wait for it; what was read by then, two megabytes at most, is
   * visited all the same. Where the promise is rejected, so is the visit.
   */
  visit(message: Uint8Array, visitor: MessageDecoder<unknown>, options?: RequestOptions): Promise<void>;

  /** Closes the socket; what still waits is rejected with ClosedError. Idempotent. */
  close(): Promise<void>;
}
