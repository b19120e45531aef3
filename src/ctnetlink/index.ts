/** Connection tracking: flows, expectations, their attributes, events and the client. */
export * from './attributes.ts';
export * from './client.ts';
export * from './constants.ts';
export * from './events.ts';
export * from './expectation.ts';
export * from './expectationAttributes.ts';
export * from './expectationClient.ts';
export {
  type CheckedFilter,
  checkFilter,
  type DirectionFilter,
  type FlowFilter,
  matchesFilter,
} from './filter.ts';
export * from './filterPlan.ts';
export * from './flow.ts';
export { checkTuple, type FlowKey } from './flowKey.ts';
export * from './flowView.ts';
export * from './invertTuple.ts';
export * from './requests/change.ts';
export * from './requests/delete.ts';
export * from './requests/flush.ts';
export * from './requests/get.ts';
export * from './requests/list.ts';
export * from './requests/rawKey.ts';
export * from './statistics.ts';
export * from './statisticsAttributes.ts';
export * from './subsystem.ts';
export * from './tuple.ts';
export * from './tupleView.ts';
