import { AF } from '../nfnetlink/constants.ts';

/**
 * What the daemon was told to do, checked and compiled: the configuration's meaning, without its syntax.
 * Nothing in it changes; another configuration makes another plan.
 */
export interface Plan {
  /** The bits of the conntrack mark that name the interface. */
  readonly markMask: number;
  readonly interfaces: readonly PlanInterface[];
  /** In the order in which the firewall would try them. */
  readonly rules: readonly PlanRule[];
  readonly exempt: Exemptions;
  /** Delays after NEW at which an unclassified flow is asked again, ascending, in milliseconds. */
  readonly recheckMs: readonly number[];
  /** Interval of the periodic full sweep in milliseconds. */
  readonly sweepMs: number;
  readonly limits: Limits;
  /** Without it a change of an interface's state counts at once. */
  readonly settle?: Settle;
  readonly dryRun: boolean;
}

/** More rules than this are refused: one flow's questions must fit into one batch. */
export const MOST_RULES = 512;

export type Family = 'ipv4' | 'ipv6';

export interface PlanInterface {
  readonly name: string;
  /** The interface's number in mwan3, else null. */
  readonly id: number | null;
  /** Already within the mask; never 0. */
  readonly mark: number;
  /** The family that it carries; undefined for both. */
  readonly family?: Family;
  /** A file holding 'online' or 'offline'; without one the interface counts as online. */
  readonly stateFile?: string;
}

/** What of the flow is looked up in a rule's set, one a dimension of the set. */
export type MatchField = 'src' | 'dst' | 'sport' | 'dport';

export interface PlanRule {
  readonly name: string;
  /** Where a file names its set, for messages: 'FILE: line N'. */
  readonly source?: string;
  /** Null for a rule without a set: it takes every flow that it fits, so that no rule behind it is reached. */
  readonly set: string | null;
  /** Empty where there is no set. */
  readonly match: readonly MatchField[];
  /** The family that the rule is for; undefined for both. */
  readonly family?: Family;
  /** IP protocol number; undefined for all. */
  readonly protocol?: number;
  readonly sourcePorts: readonly PortRange[];
  readonly destinationPorts: readonly PortRange[];
  /** No network means any address, here and in `destinations`. */
  readonly sources: readonly Network[];
  readonly destinations: readonly Network[];
  /** The interfaces that are right for the rule's flows; none where the rule leaves them where they are. */
  readonly members: readonly Member[];
  /** The mwan3 policy that the members come from, else null. */
  readonly policy: string | null;
  /** Sets that pin a client to its interface, else null. */
  readonly sticky: StickySets | null;
  /** What becomes of flows on an interface that went offline; 'reset' by default. */
  readonly failover?: OnChange;
  /**
   * What becomes of flows on an online member that is not the best; by default they are reset, but those of
   * a rule without a set stay, on whatever interface is online.
   */
  readonly failback?: OnChange | PreserveOld;
  /**
   * Flows in its set are out of scope, whatever the rules behind it say. Where it is 'optional', a set that is
   * missing or cannot be asked is no fault.
   */
  readonly exempt?: 'required' | 'optional';
  /** Whether the set is listed to notice new elements; undefined lets its size and timeouts decide. */
  readonly watch?: boolean;
}

/** Whether flows stay where they are or are reset. */
export type OnChange = 'preserve' | 'reset';

/**
 * Of the flows that began while no better member was online, established ones stay that are as old as this,
 * or of unknown age; others are reset. Later ones are reset as by default.
 */
export interface PreserveOld {
  readonly preserveFromMs: number;
}

/**
 * Names of sets of (source, mark), by family, of which those that are there hold a client to the interface
 * of that mark: its element goes before a reset.
 */
export type StickySets = Readonly<Record<Family, readonly string[]>>;

export interface Member {
  /** Index into Plan.interfaces. */
  readonly interface: number;
  /** The lowest among the online members wins; equal ones are all right. */
  readonly metric: number;
}

/** Both ends belong to the range. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export interface Network {
  /** Four or sixteen bytes, host bits zero. */
  readonly address: Uint8Array;
  readonly prefix: number;
}

export interface PortExemption {
  /** IP protocol number; undefined for every protocol that has ports. */
  readonly protocol?: number;
  readonly ports: PortRange;
}

export interface Exemptions {
  readonly destinations: readonly Network[];
  readonly sources: readonly Network[];
  /** Destination ports. */
  readonly ports: readonly PortExemption[];
}

/**
 * How long after an interface's change of state a flow is also where it belongs if it was so before the
 * change, in milliseconds: until the firewall follows, and until a better interface has proved itself,
 * which it has not before the firewall follows.
 */
export interface Settle {
  readonly offlineMs: number;
  readonly onlineMs: number;
  /** A folder that the firewall writes into while it follows: a change does not settle before that ends. */
  readonly workFolder?: string;
}

export interface Limits {
  readonly resetsPerSecond: number;
  readonly resetsPerClientPerSecond: number;
  readonly pendingFlows: number;
  /** First cool-down of a flow that returned, in milliseconds; it doubles up to an hour. */
  readonly cooldownMs: number;
}

/** The family's name of an nfgenmsg family number. */
export function familyName(family: number): Family {
  return family === AF.INET6 ? 'ipv6' : 'ipv4';
}
