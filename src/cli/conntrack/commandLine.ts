import type { EventKind } from '../../ctnetlink/flowView.ts';
import type { FlowDraft, TupleDraft } from './draft.ts';
import type { OutputKeyword, StatusBits } from './keywords.ts';
import type { LabelMap } from './labelMap.ts';
import type { CommandName, TableName } from './optionTable.ts';
import type { ProtocolChoice } from './protocolNames.ts';
import type { Masked } from './values.ts';

/** A command line of conntrack(8), read and checked. */
export interface CommandLine {
  /** Undefined where no command was given: the usage is printed. */
  readonly command: CommandName | undefined;
  readonly table: TableName;
  /** Letters of the options that were given. */
  readonly options: ReadonlySet<string>;
  /** AF.INET or AF.INET6; AF.UNSPEC where the command line does not tell. */
  readonly family: number;
  readonly protocol: ProtocolChoice | undefined;
  readonly draft: FlowDraft;
  /** The tuple of an expectation. */
  readonly expected: TupleDraft;
  /** Netmasks of the addresses, and the port masks of an expectation. */
  readonly mask: TupleDraft;
  readonly mark: Masked | undefined;
  readonly status: StatusBits | undefined;
  /** -j: an address, and perhaps a port, on either side. */
  readonly anyNat: { readonly address?: Uint8Array; readonly port?: number };
  /** Bits that a flow has to have. */
  readonly labels: Uint8Array | undefined;
  /** Bits to add or to delete; undefined with --label-del alone, which deletes all. */
  readonly labelChange: Uint8Array | undefined;
  readonly labelMap: LabelMap | undefined;
  readonly eventKinds: readonly EventKind[];
  readonly output: ReadonlySet<OutputKeyword>;
  readonly bufferSize: number | undefined;
  readonly own: OwnOptions;
}

/** What conntrack(8) does not know. */
export interface OwnOptions {
  /** --dry-run: say what would be done, and do nothing. */
  readonly dryRun: boolean;
  /** --show-plan: say on standard error what the kernel compares and what this process compares. */
  readonly showPlan: boolean;
  /** --max: refuse to touch more flows than this. */
  readonly max: number | undefined;
  /** --help by its whole name: examples too. */
  readonly longHelp: boolean;
}
