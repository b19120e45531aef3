import type { ParityTool } from './tool.ts';

/** The programs that resteer stands for, each with its table of command lines. */
export const tools: Readonly<Record<string, () => Promise<ParityTool>>> = {
  conntrack: async () => (await import('./conntrack/tool.ts')).conntrackTool,
  ipset: async () => (await import('./ipset/tool.ts')).ipsetTool,
};
