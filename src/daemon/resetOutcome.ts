/**
 * How a reset ended. `gone`: the entry was no longer there, or dying. `changed`: another entry, another mark
 * or another interface's flow stood in its place, or it is right where it is by now. `offloaded`: the kernel refuses to delete
 * what its fast path holds (EBUSY). `refused`: any other refusal. `dry-run`: it would have been deleted.
 */
export type ResetOutcome = 'deleted' | 'gone' | 'changed' | 'offloaded' | 'refused' | 'dry-run';
