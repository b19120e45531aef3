/**
 * The ways a netlink conversation fails. Tell them apart by `kind`, never by message or class:
 * an application may hold two copies of this library.
 *
 * A system call's failure (TransportError) and the kernel's answer to a request (KernelError) are
 * different things and stay different: the first says that the message may not have arrived.
 */
export type NetlinkErrorKind =
  | 'kernel'
  | 'transport'
  | 'decode'
  | 'encode'
  | 'overrun'
  | 'timeout'
  | 'dump-interrupted'
  | 'closed';

/** The base of every error that this library throws on purpose. */
export class NetlinkError extends Error {
  readonly kind: NetlinkErrorKind;
  constructor(kind: NetlinkErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.kind = kind;
  }
}

/** What the kernel said beside an errno (NLMSGERR_ATTR_*), where the socket could ask for it. */
export interface ExtendedAck {
  readonly message?: string;
  /** Dotted kernel names of the attribute that the kernel objected to. */
  readonly attribute?: string;
  /** Byte offset of that attribute from the start of the request's nlmsghdr. */
  readonly offset?: number;
}

export interface KernelErrorFacts {
  /** Positive errno: 2 for ENOENT. Subsystems add their own above 4096. */
  readonly errno: number;
  /** The errno's name: 'ENOENT'. */
  readonly code: string;
  /** The kernel's name of the request's command: 'IPCTNL_MSG_CT_GET'. */
  readonly command: string;
  /** Sequence number of the refused request. */
  readonly seq: number;
  readonly extack?: ExtendedAck | undefined;
  /** What this errno means for this command, and what to do; replaces the bare code in the message. */
  readonly meaning?: string | undefined;
}

/** The kernel received the request and refused it (NLMSG_ERROR, or the errno in NLMSG_DONE). */
export class KernelError extends NetlinkError {
  readonly errno: number;
  readonly code: string;
  readonly command: string;
  readonly seq: number;
  readonly extack: ExtendedAck | undefined;
  constructor(facts: KernelErrorFacts) {
    const said = facts.extack?.message;
    const at = facts.extack?.attribute;
    super(
      'kernel',
      `${facts.command}: ${facts.code}${facts.meaning ? `: ${facts.meaning}` : ''}` +
        `${said ? `: the kernel says "${said}"` : ''}${at ? ` at ${at}` : ''}`,
    );
    this.errno = facts.errno;
    this.code = facts.code;
    this.command = facts.command;
    this.seq = facts.seq;
    this.extack = facts.extack;
  }
}

/** A system call on the socket failed: nothing is known of what the kernel did. */
export class TransportError extends NetlinkError {
  /** The system call, or the step that stands for it: 'sendto', 'setsockopt NETLINK_ADD_MEMBERSHIP'. */
  readonly syscall: string;
  /** The errno's name: 'EPERM'. */
  readonly code: string;
  constructor(syscall: string, code: string, advice?: string, options?: ErrorOptions) {
    super('transport', `${syscall}: ${code}${advice ? `: ${advice}` : ''}`, options);
    this.syscall = syscall;
    this.code = code;
  }
}

/** Bytes that are not what the protocol allows at this place. */
export class DecodeError extends NetlinkError {
  /** Dotted kernel names from the outermost attribute inwards: 'CTA_TUPLE_ORIG.CTA_TUPLE_PROTO'. */
  readonly path: string;
  /** Byte offset into the buffer that was being decoded. */
  readonly offset: number;
  readonly reason: string;
  constructor(reason: string, offset: number, path = '') {
    super('decode', `${path ? `${path}: ` : ''}${reason} (byte ${offset})`);
    this.reason = reason;
    this.offset = offset;
    this.path = path;
  }
  /** The same error seen from one nest further out. */
  within(name: string): DecodeError {
    return new DecodeError(this.reason, this.offset, this.path ? `${name}.${this.path}` : name);
  }
}

/** A value that has no encoding: out of range, of the wrong kind, or incomplete. Nothing was sent. */
export class EncodeError extends NetlinkError {
  /** Dotted names of the value's fields: 'originalTuple.sourcePort'. */
  readonly path: string;
  readonly reason: string;
  constructor(reason: string, path = '') {
    super('encode', path ? `${path}: ${reason}` : reason);
    this.reason = reason;
    this.path = path;
  }
  within(name: string): EncodeError {
    return new EncodeError(this.reason, this.path ? `${name}.${this.path}` : name);
  }
}

/** The socket's receive buffer was full and the kernel dropped messages (ENOBUFS). */
export class OverrunError extends NetlinkError {
  constructor(message = 'ENOBUFS: the receive buffer was full and messages were dropped') {
    super('overrun', message);
  }
}

/** The kernel did not answer in time. What it did with the request is not known. */
export class TimeoutError extends NetlinkError {
  readonly command: string;
  readonly milliseconds: number;
  constructor(command: string, milliseconds: number) {
    super('timeout', `${command}: no answer within ${milliseconds} ms`);
    this.command = command;
    this.milliseconds = milliseconds;
  }
}

/** A dump whose table changed under it (NLM_F_DUMP_INTR): what was read is not a consistent picture. */
export class DumpInterruptedError extends NetlinkError {
  readonly command: string;
  constructor(command: string) {
    super(
      'dump-interrupted',
      `${command}: the table changed during the dump (NLM_F_DUMP_INTR): list it again`,
    );
    this.command = command;
  }
}

/** The connection was closed, by its owner or by a failure, before the answer came. */
export class ClosedError extends NetlinkError {
  constructor(message = 'the connection is closed') {
    super('closed', message);
  }
}
