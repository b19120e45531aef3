import { EncodeError } from '../nfnetlink/index.ts';

/**
 * Seconds above which the kernel cuts a timeout short without a word.
 * Source: IPSET_MAX_TIMEOUT in include/linux/netfilter/ipset/ip_set_timeout.h; ipset(8).
 */
export const MAX_TIMEOUT = 2147483;

/**
 * Checks seconds against what the kernel can hold, since it cuts larger ones short without a word.
 * @throws EncodeError
 */
export function checkTimeout(seconds: number): void {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_TIMEOUT) {
    throw new EncodeError(`${seconds} is not a number of seconds from 0 to ${MAX_TIMEOUT}`, 'timeout');
  }
}
