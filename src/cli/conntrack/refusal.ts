import type { KernelError, NetlinkError, TransportError } from '../../nfnetlink/errors.ts';
import { isNetlinkError } from '../errors.ts';
import { type ConntrackExit, failure } from './exit.ts';
import type { CommandName } from './optionTable.ts';

type Reason = readonly [code: string, commands: readonly CommandName[] | 'flows' | 'all', text: string];

const finding: readonly CommandName[] = ['create', 'get', 'delete', 'add'];

/** What conntrack(8) says for an errno, by command; the first row that fits. */
const reasons: readonly Reason[] = [
  ['EINVAL', 'flows', 'invalid parameters'],
  ['EEXIST', ['create'], 'Such conntrack exists, try -U to update'],
  ['ENOENT', finding, "such conntrack doesn't exist"],
  ['ENOMEM', ['create', 'get', 'add'], 'not enough memory'],
  ['EAFNOSUPPORT', ['get'], 'protocol not supported'],
  ['ETIME', ['create', 'add'], 'conntrack has expired'],
  ['ENOENT', ['expect-create'], 'master conntrack not found'],
  ['EPERM', 'all', 'sorry, you must be root or get CAP_NET_ADMIN capability to do this'],
];

// conntrack(8) keeps commands as bits, and the row of 'flows' takes the lower sixteen
const notFlows: readonly CommandName[] = ['expect-count', 'stats', 'expect-stats', 'add'];

/** strerror(3) of what ctnetlink answers. */
const systemTexts: Readonly<Record<string, string>> = {
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  ENOMEM: 'Cannot allocate memory',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  EINVAL: 'Invalid argument',
  EMFILE: 'Too many open files',
  ENOSPC: 'No space left on device',
  ERANGE: 'Numerical result out of range',
  ETIME: 'Timer expired',
  EPROTONOSUPPORT: 'Protocol not supported',
  EOPNOTSUPP: 'Operation not supported',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  ENOBUFS: 'No buffer space available',
};

/** The words for a refusal of the kernel, as conntrack(8) has them. */
export function refusalText(error: KernelError | TransportError, command: CommandName): string {
  const { code } = error;
  const reason = reasons.find(
    ([errno, commands]) =>
      errno === code &&
      (commands === 'all' ||
        (commands === 'flows' ? !notFlows.includes(command) : commands.includes(command))),
  );
  return reason?.[2] ?? systemTexts[code] ?? error.message;
}

/** The end of a command that the kernel refused; any other error as it is. */
export function operationFailed(error: unknown, command: CommandName): ConntrackExit | unknown {
  if (!isNetlinkError(error)) return error;
  return failure(`Operation failed: ${netlinkText(error, command)}`);
}

function netlinkText(error: NetlinkError, command: CommandName): string {
  const hasCode = error.kind === 'kernel' || error.kind === 'transport';
  return hasCode ? refusalText(error as KernelError | TransportError, command) : error.message;
}

/** The errno's name, where the kernel answered with one. */
export function refusalCode(error: unknown): string | undefined {
  return isNetlinkError(error) && error.kind === 'kernel' ? (error as KernelError).code : undefined;
}
