import { ERRNO } from '../nfnetlink/constants.ts';
import { ANSWER } from './decide.ts';

/** -IPSET_ERR_EXIST: a miss, whatever its cause. Source: include/uapi/linux/netfilter/ipset/ip_set.h. */
const MISS_ERRNO = 4103;

/** What the acknowledgement of a TEST says of the flow. */
export function answerOf(errno: number): number {
  if (errno === 0) return ANSWER.HIT;
  // there is no such set any more; other refusals leave the answer unknown
  return errno === MISS_ERRNO || errno === ERRNO.ENOENT ? ANSWER.MISS : ANSWER.UNKNOWN;
}
