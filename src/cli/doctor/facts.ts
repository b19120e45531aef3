import type { Requester } from '../../nfnetlink/requester.ts';
import type { TransportDescription } from '../../nfnetlink/transport/select.ts';
import { askConntrack, askIpset, askOffload, type IpsetVersions, type TableSize } from './kernel.ts';

/** What the doctor may touch: the machine that it runs on, or one that a test makes up. */
export interface Machine {
  readonly platform: string;
  readonly nodeVersion: string;
  /** The text of a file under /proc; undefined where it cannot be read. */
  readText(path: string): string | undefined;
  describeTransport(): TransportDescription;
  openRequester(): Promise<Requester>;
}

/** An answer of the kernel, or why there is none. */
export type Answer<T> = { readonly value: T } | { readonly error: unknown };

/** All that the checks judge: plain data, read once. Absent is what could not be read. */
export interface Facts {
  readonly platform: string;
  readonly nodeVersion: string;
  readonly availableKilobytes: number | undefined;
  /** Whether CAP_NET_ADMIN is in the effective set. */
  readonly isNetAdmin: boolean | undefined;
  /** Whether this is a user namespace of its own, whose capabilities do not reach outside. */
  readonly isUserNamespace: boolean;
  readonly transport: Answer<TransportDescription>;
  readonly table: Answer<TableSize>;
  /** Whether a flow is offloaded; undefined within an answer where the search was cut short. */
  readonly offloaded: Answer<boolean | undefined>;
  readonly ipset: Answer<IpsetVersions>;
  /** Values of net.netfilter.nf_conntrack_NAME, and of net.core.rmem_max. */
  readonly sysctl: {
    readonly events: number | undefined;
    readonly tcpLoose: number | undefined;
    readonly acct: number | undefined;
    readonly timestamp: number | undefined;
    readonly receiveBufferMax: number | undefined;
  };
}

const CAP_NET_ADMIN = 12n;

/** Reads everything once. Never throws: what fails is a fact too. */
export async function gatherFacts(machine: Machine): Promise<Facts> {
  const status = machine.readText('/proc/self/status');
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? '')?.[1];
  const available = /^MemAvailable:\s*(\d+) kB$/m.exec(machine.readText('/proc/meminfo') ?? '')?.[1];
  const number = (path: string): number | undefined => {
    const text = machine.readText(`/proc/sys/net/${path}`)?.trim();
    return text && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  return {
    platform: machine.platform,
    nodeVersion: machine.nodeVersion,
    availableKilobytes: available === undefined ? undefined : Number(available),
    isNetAdmin:
      effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n,
    isUserNamespace: !wholeIdRange.test(machine.readText('/proc/self/uid_map') ?? '0 0 4294967295'),
    transport: await answerOf(async () => machine.describeTransport()),
    ...(await askKernel(machine)),
    sysctl: {
      events: number('netfilter/nf_conntrack_events'),
      tcpLoose: number('netfilter/nf_conntrack_tcp_loose'),
      acct: number('netfilter/nf_conntrack_acct'),
      timestamp: number('netfilter/nf_conntrack_timestamp'),
      receiveBufferMax: number('core/rmem_max'),
    },
  };
}

const wholeIdRange = /^\s*0\s+0\s+4294967295\s*$/;

/** What the question gave, be it an error. */
export async function answerOf<T>(ask: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error };
  }
}

async function askKernel(machine: Machine): Promise<Pick<Facts, 'table' | 'offloaded' | 'ipset'>> {
  const opened = await answerOf(() => machine.openRequester());
  if ('error' in opened) return { table: opened, offloaded: opened, ipset: opened };
  const requester = opened.value;
  try {
    const table = await answerOf(() => askConntrack(requester));
    const offloaded = 'error' in table ? table : await answerOf(() => askOffload(requester));
    return { table, offloaded, ipset: await answerOf(() => askIpset(requester)) };
  } finally {
    await requester.close();
  }
}
