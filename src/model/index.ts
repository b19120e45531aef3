/** A kernel in memory, whose time passes only when it is told to: for simulations and tests. */
export * from './conntrackCommands.ts';
export * from './conntrackEntry.ts';
export * from './conntrackTable.ts';
export { answerIpset, type SetTable } from './ipsetCommands.ts';
export * from './modelFiles.ts';
export * from './modelKernel.ts';
export * from './modelSet.ts';
export * from './modelSocket.ts';
export * from './modelSockets.ts';
export type { Outcome } from './outcome.ts';
export * from './playback.ts';
export * from './routeTable.ts';
export * from './virtualClock.ts';
