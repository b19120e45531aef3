/** A capture file that is not what its format allows at this place. */
export class CaptureError extends Error {
  readonly reason: string;
  /** Byte offset into the file. */
  readonly offset: number;
  constructor(reason: string, offset: number) {
    super(`${reason} (byte ${offset})`);
    this.name = 'CaptureError';
    this.reason = reason;
    this.offset = offset;
  }
}
