import { KernelError, type KernelErrorFacts, type NetlinkError } from '../nfnetlink/index.ts';
import { describeErrno, type StorageMethod } from './errno.ts';

/** What the kernel was asked to do when it refused. */
export interface IpsetErrorContext {
  /** The lower byte of the message type: IPSET_CMD. */
  readonly command: number;
  /** The name of the set. */
  readonly set?: string | undefined;
  /** How the set stores its elements, which decides what 4352 and above mean. */
  readonly method?: StorageMethod | undefined;
  /** Which element of a batch was refused, from 0; those before it are done, those behind it are not. */
  readonly index?: number | undefined;
  /** The refused element, in the syntax of ipset(8). */
  readonly element?: string | undefined;
}

/**
 * The kernel refused an ipset command. `code` is a name of errno.h or one of IPSET_ERR_*; where the set's
 * type is known, also the type-specific ones.
 */
export class IpsetError extends KernelError {
  /** The set that the command named, or undefined where it named none. */
  readonly set: string | undefined;
  /** Which element of a batch was refused, from 0. */
  readonly index: number | undefined;
  constructor(facts: KernelErrorFacts, context: Omit<IpsetErrorContext, 'command'> = {}) {
    super(facts);
    this.set = context.set;
    this.index = context.index;
  }
}

/** A kernel refusal with the names of ipset; any other error is handed back as it is. */
export function asIpsetError(error: unknown, context: IpsetErrorContext): unknown {
  if (!isKernelError(error)) return error;
  const { errno, command, seq, extack } = error;
  const described = describeErrno(errno, context.command, context.method);
  const about = subject(context);
  const meaning = [about, described?.meaning].filter((part) => part !== undefined).join(': ');
  return new IpsetError(
    {
      errno,
      code: described?.code ?? error.code,
      command,
      seq,
      extack,
      ...(meaning !== '' && { meaning }),
    },
    context,
  );
}

function subject({ set, index, element }: IpsetErrorContext): string | undefined {
  const parts = [
    ...(set === undefined ? [] : [`set ${set}`]),
    ...(index === undefined ? [] : [`element number ${index}`]),
    ...(element === undefined ? [] : [element]),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}

// by kind, not by class: the error may come from another copy of this library
function isKernelError(error: unknown): error is KernelError {
  return error instanceof Error && (error as NetlinkError).kind === 'kernel';
}
