import { constants } from 'node:os';

// the kernel says EOPNOTSUPP and ENOTSUP for 95, EAGAIN and EWOULDBLOCK for 11: errno.h's first name wins
const preferred: Readonly<Record<number, string>> = { 11: 'EAGAIN', 35: 'EDEADLK', 95: 'EOPNOTSUPP' };

// not in Node's table, sent by nfnetlink: a stale generation of an nf_tables batch
const missing: Readonly<Record<number, string>> = { 85: 'ERESTART', 524: 'ENOTSUPP' };

const names = new Map<number, string>();
for (const [name, errno] of Object.entries(constants.errno)) if (!names.has(errno)) names.set(errno, name);

/** The name of a positive errno ('ENOENT'), or 'errno 4711' where it has none. */
export function errnoName(errno: number): string {
  return preferred[errno] ?? names.get(errno) ?? missing[errno] ?? `errno ${errno}`;
}
