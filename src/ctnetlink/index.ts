/** Connection tracking: flows, expectations, their attributes, events and the client. */
export * from './attributes.ts';
export * from './constants.ts';
export * from './expectationAttributes.ts';
export * from './flow.ts';
export * from './flowView.ts';
export * from './statisticsAttributes.ts';
export * from './subsystem.ts';
export * from './tuple.ts';
export * from './tupleView.ts';
