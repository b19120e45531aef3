import type { StateFiles } from './stateFiles.ts';

/** Entries of the network namespace that the process is in, also those whose first packet is still under way. */
const COUNT_SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_count';

/**
 * Whether the table is known to be empty. To list it, the kernel walks a hash table that all namespaces share and that
 * is sized by the machine's memory: ten milliseconds for 262,144 buckets with nothing in them.
 */
export function isTableEmpty(files: Pick<StateFiles, 'read'>): boolean {
  try {
    return files.read(COUNT_SYSCTL)?.trim() === '0';
  } catch {
    return false;
  }
}
