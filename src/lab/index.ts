export type { Protocol } from './agent.ts';
export { type Finished, LabError, type Step } from './command.ts';
export { type ConntrackRow, readConntrackTable } from './conntrackTable.ts';
export type { Host, PingOptions } from './host.ts';
export { buildLab, type Lab } from './lab.ts';
export type { Family, LabOptions, LabPlan, LabRule, LabSet, PortForward, Wan } from './plan.ts';
export {
  type LabRequirements,
  labRequirements,
  type MissingRequirement,
  missingText,
} from './requirements.ts';
export { type Echo, type FlowOptions, type SendOptions, TrafficError, type TrafficFlow } from './traffic.ts';
export { isInUserNamespace, runInUserNamespace } from './userNamespace.ts';
