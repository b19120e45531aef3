/** The laboratory on paper: who is there, with which addresses and marks. Everything else is made from it. */

export type Family = 'ipv4' | 'ipv6';
export const families: readonly Family[] = ['ipv4', 'ipv6'];

/** A set in the router's kernel. `timeout` in seconds: 0 gives a set whose entries may have one. */
export interface LabSet {
  readonly name: string;
  readonly type: string;
  readonly family: Family;
  readonly timeout?: number;
}

/** A rule as mwan3 has it: what fits all that is given leaves through the WAN. The first that fits wins. */
export interface LabRule {
  readonly family: Family;
  readonly set?: string;
  /** The set's dimensions; mwan3 itself can only say `dst`. */
  readonly match?: string;
  readonly protocol?: 'tcp' | 'udp';
  readonly destinationPorts?: readonly number[];
  readonly wan: number;
}

/** Connections from the internet to the router's port, on any WAN, go to that client. */
export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly client: 1 | 2;
}

export interface LabOptions {
  /** How many uplinks; default 2. */
  readonly wans?: number;
  /** Default 0x3f00. */
  readonly markMask?: number;
  /** Whether the router hides the clients behind its address on each WAN; default true. */
  readonly masquerade?: boolean;
  /** The WAN (from 1) of whatever no rule claims; default 1. */
  readonly defaultWan?: number;
  /** Default: app_1.v4 and app_1.v6, hash:ip, empty. */
  readonly sets?: readonly LabSet[];
  /** Default: what is in app_1 leaves through the second WAN. */
  readonly rules?: readonly LabRule[];
  readonly portForwards?: readonly PortForward[];
  /** Ports on which the server echoes, over TCP and UDP; default 443. */
  readonly serverPorts?: readonly number[];
  /** Further kernel settings of the router, by their dotted names. */
  readonly sysctls?: Readonly<Record<string, string | number>>;
}

/** One address of each family, without prefix length. */
export type Addresses = Readonly<Record<Family, string>>;

export interface Wan {
  /** From 1: also the number of its routing table. */
  readonly id: number;
  /** The router's interface: wan, wanb, wanc ... */
  readonly name: string;
  readonly mark: number;
  readonly routerAddress: Addresses;
  readonly ispAddress: Addresses;
  readonly network: Addresses;
  /** Between the provider and the server. */
  readonly coreIspAddress: Addresses;
  readonly coreServerAddress: Addresses;
}

export interface LabPlan {
  readonly id: string;
  readonly markMask: number;
  /** The mark of what leaves by the main table. */
  readonly defaultMark: number;
  readonly blackholeMark: number;
  readonly unreachableMark: number;
  readonly masquerade: boolean;
  readonly defaultWan: number;
  readonly wans: readonly Wan[];
  readonly lan: {
    readonly network: Addresses;
    readonly router: Addresses;
    readonly clients: readonly Addresses[];
  };
  readonly serverNetwork: Addresses;
  readonly serverAddresses: Readonly<Record<Family, readonly string[]>>;
  readonly serverPorts: readonly number[];
  readonly sets: readonly LabSet[];
  readonly rules: readonly LabRule[];
  readonly portForwards: readonly PortForward[];
  readonly sysctls: Readonly<Record<string, string | number>>;
}

const defaultSets: readonly LabSet[] = [
  { name: 'app_1.v4', type: 'hash:ip', family: 'ipv4', timeout: 0 },
  { name: 'app_1.v6', type: 'hash:ip', family: 'ipv6', timeout: 0 },
];
const defaultRules: readonly LabRule[] = [
  { family: 'ipv4', set: 'app_1.v4', wan: 2 },
  { family: 'ipv6', set: 'app_1.v6', wan: 2 },
];

/** Spreads the bits of an interface id over the set bits of the mask, lowest first, as mwan3 does. */
export function markOf(id: number, mask: number): number {
  let mark = 0;
  let rest = id;
  for (let bit = 0; bit < 32 && rest > 0; bit++) {
    if (((mask >>> bit) & 1) === 0) continue;
    if (rest & 1) mark |= 1 << bit;
    rest >>>= 1;
  }
  if (rest > 0) throw new RangeError(`the mask ${hex(mask)} has no room for interface id ${id}`);
  return mark >>> 0;
}

/** A mark or mask as the tools write it. */
export const hex = (value: number): string => `0x${value.toString(16)}`;

const bitCount = (mask: number) => [...(mask >>> 0).toString(2)].filter((bit) => bit === '1').length;

function planWan(id: number, mask: number): Wan {
  const link = (ipv4: string, ipv6: string) => (host: string) => ({
    ipv4: `${ipv4}.${host || '0/24'}`,
    ipv6: `${ipv6}::${host || '/64'}`,
  });
  const access = link(`100.64.${id}`, `fd00:64:${id}`);
  const core = link(`100.127.${id}`, `fd00:127:${id}`);
  return {
    id,
    name: id === 1 ? 'wan' : `wan${String.fromCharCode(96 + id)}`,
    mark: markOf(id, mask),
    routerAddress: access('2'),
    ispAddress: access('1'),
    network: access(''),
    coreIspAddress: core('1'),
    coreServerAddress: core('2'),
  };
}

/** Fills in the defaults: two WANs, masqueraded, everything through the first but set app_1, which is for the second. */
export function planLab(id: string, options: LabOptions = {}): LabPlan {
  const count = options.wans ?? 2;
  const markMask = (options.markMask ?? 0x3f00) >>> 0;
  const ids = 2 ** bitCount(markMask) - 1;
  if (!Number.isInteger(count) || count < 1 || count > Math.min(26, ids - 3)) {
    throw new RangeError(`wans: ${count} is not from 1 to ${Math.min(26, ids - 3)}`);
  }
  const defaultWan = options.defaultWan ?? 1;
  const rules = options.rules ?? (count > 1 ? defaultRules : []);
  for (const wan of [defaultWan, ...rules.map((rule) => rule.wan)]) {
    if (!(wan >= 1 && wan <= count)) throw new RangeError(`no WAN ${wan}: there are 1 to ${count}`);
  }
  const lan = (host: string) => ({ ipv4: `192.168.50.${host}`, ipv6: `fd00:50::${host}` });
  const servers = ['10', '11', '12', '13'];
  return {
    id,
    markMask,
    defaultMark: markOf(ids, markMask),
    unreachableMark: markOf(ids - 1, markMask),
    blackholeMark: markOf(ids - 2, markMask),
    masquerade: options.masquerade ?? true,
    defaultWan,
    wans: Array.from({ length: count }, (_, index) => planWan(index + 1, markMask)),
    lan: {
      network: { ipv4: '192.168.50.0/24', ipv6: 'fd00:50::/64' },
      router: lan('1'),
      clients: [lan('2'), lan('3')],
    },
    serverNetwork: { ipv4: '203.0.113.0/24', ipv6: '2001:db8:113::/64' },
    serverAddresses: {
      ipv4: servers.map((host) => `203.0.113.${host}`),
      ipv6: servers.map((host) => `2001:db8:113::${host}`),
    },
    serverPorts: options.serverPorts ?? [443],
    sets: options.sets ?? defaultSets,
    rules,
    portForwards: options.portForwards ?? [],
    sysctls: options.sysctls ?? {},
  };
}

/** The network namespace of a role: client1, client2, router, isp1 ..., server. */
export const namespaceOf = (plan: LabPlan, role: string) => `${plan.id}-${role}`;

/** Every role, in no order that matters. */
export function rolesOf(plan: LabPlan): string[] {
  return [
    'router',
    'server',
    ...plan.lan.clients.map((_, index) => `client${index + 1}`),
    ...plan.wans.map(({ id }) => `isp${id}`),
  ];
}
