import type { StateFiles } from './stateFiles.ts';
import type { Warnings } from './warnings.ts';

/** Of the network namespace that the process is in. */
const EVENTS_SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_events';
const WHAT = 'conntrack events';

/**
 * Warns where the kernel tells nobody of new flows: then only sweeps find them. Where the setting cannot be
 * read nothing is said; the kernel without events has no such file.
 */
export function checkEventsSetting(
  files: Pick<StateFiles, 'read'>,
  warnings: Warnings,
  sweepMs: number,
): void {
  if (readSetting(files) !== '0') {
    warnings.mended(WHAT);
    return;
  }
  warnings.warn(
    WHAT,
    `the kernel tells of no new flow (nf_conntrack_events is 0): they are found by sweeps alone, every ${sweepMs / 1000} s`,
    'sysctl -w net.netfilter.nf_conntrack_events=1',
  );
}

function readSetting(files: Pick<StateFiles, 'read'>): string | undefined {
  try {
    return files.read(EVENTS_SYSCTL)?.trim();
  } catch {
    return undefined;
  }
}
