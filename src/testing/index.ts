/** Test doubles: a kernel that follows a script, a recorder of real conversations, a clock that stands. */
export * from './manualClock.ts';
export * from './recorder.ts';
export * from './replies.ts';
export * from './scriptedTransport.ts';
