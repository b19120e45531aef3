import type { NestCodec } from './codec.ts';
import { NLM_F } from './constants.ts';
import { commandOf } from './message.ts';

/** What is known of one message: its kernel name and the table of its attributes. */
export interface MessageShape {
  /** 'IPCTNL_MSG_CT_NEW', 'IPSET_CMD_ADD'. */
  readonly name: string;
  readonly attributes: NestCodec<unknown>;
}

/** One nfnetlink subsystem as a source of names: for readable trees and for errors. */
export interface Subsystem {
  /** NFNL_SUBSYS. */
  readonly id: number;
  /** The shape of a message, or undefined for a command that is not known. `flags` are nlmsg_flags. */
  shapeOf(command: number, flags: number): MessageShape | undefined;
  /** What an errno means where the subsystem has its own (above 4096): name and advice. */
  describeErrno?(
    errno: number,
    command: number,
  ): { readonly code: string; readonly meaning?: string } | undefined;
}

/** The kernel's name of a request, or its number where no subsystem names it. */
export function requestName(type: number, subsystem?: Subsystem): string {
  return subsystem?.shapeOf(commandOf(type), NLM_F.REQUEST)?.name ?? `message type ${type}`;
}
