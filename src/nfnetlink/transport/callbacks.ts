import type { NetlinkError, OverrunError } from '../errors.ts';
import type { Batch } from '../transport.ts';

/** Throws the error from a macrotask of its own: an uncaught exception that leaves its cause running. */
function throwLater(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

/**
 * A transport's three callbacks, called so that nothing they throw reaches the caller, which is native
 * code that an exception would abort or stop.
 */
export class Callbacks {
  batch: ((batch: Batch) => void) | undefined;
  overrun: ((error: OverrunError) => void) | undefined;
  error: ((error: NetlinkError) => void) | undefined;

  tellBatch(batch: Batch): void {
    try {
      this.batch?.(batch);
    } catch (error) {
      throwLater(error);
    }
  }

  tellOverrun(error: OverrunError): void {
    try {
      this.overrun?.(error);
    } catch (thrown) {
      throwLater(thrown);
    }
  }

  tellError(error: NetlinkError): void {
    try {
      this.error?.(error);
    } catch (thrown) {
      throwLater(thrown);
    }
  }
}
