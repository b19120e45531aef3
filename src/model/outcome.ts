/** What came of a request, before it is put into datagrams. */
export interface Outcome {
  /** Positive; 0 where it was done. */
  readonly errno: number;
  /** Messages that answer it, in order. */
  readonly data?: readonly Uint8Array[];
  /** Of a dump that began: gives the next message, and undefined after the last. */
  readonly dump?: () => Uint8Array | undefined;
  /** How often a refusal is sent, where that is not once. */
  readonly refusals?: number;
}
