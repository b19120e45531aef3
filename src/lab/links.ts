/** The laboratory's namespaces, links, addresses, routes and kernel settings, as programs to run. */
import type { Step } from './command.ts';
import { inside } from './command.ts';
import type { Addresses, LabPlan, Wan } from './plan.ts';
import { families, hex, namespaceOf, rolesOf } from './plan.ts';

function batch(options: readonly string[], lines: readonly string[]): Step {
  return { command: 'ip', args: [...options, '-batch', '-'], input: `${lines.join('\n')}\n` };
}

export function namespaceSteps(plan: LabPlan): Step[] {
  return [
    batch(
      [],
      rolesOf(plan).map((role) => `netns add ${namespaceOf(plan, role)}`),
    ),
  ];
}

/** Settings that must stand before the links exist, since a new link inherits them. */
export function sysctlSteps(plan: LabPlan): Step[] {
  return rolesOf(plan).map((role) => {
    const forwards = role === 'router' || role.startsWith('isp') ? 1 : 0;
    const settings = {
      'net.ipv4.ip_forward': forwards,
      // A provider drops what does not come from its own customer; the others see asymmetric routes.
      'net.ipv4.conf.all.rp_filter': role.startsWith('isp') ? 1 : 0,
      'net.ipv4.conf.default.rp_filter': 0,
      'net.ipv4.conf.all.send_redirects': 0,
      'net.ipv6.conf.all.disable_ipv6': 0,
      'net.ipv6.conf.default.disable_ipv6': 0,
      // The kernel skips the wait for duplicates only if both say so (addrconf_dad_begin).
      'net.ipv6.conf.all.accept_dad': 0,
      'net.ipv6.conf.default.accept_dad': 0,
      'net.ipv6.conf.default.accept_ra': 0,
      'net.ipv6.conf.all.forwarding': forwards,
      ...(role === 'router' ? { ...trackingSettings, ...plan.sysctls } : {}),
    };
    const pairs = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    return inside(namespaceOf(plan, role), { command: 'sysctl', args: ['-q', '-w', ...pairs] });
  });
}

/** A router's usual ones, said here because a machine may have changed what a new namespace starts with. */
const trackingSettings = {
  'net.netfilter.nf_conntrack_events': 1,
  'net.netfilter.nf_conntrack_acct': 1,
  'net.netfilter.nf_conntrack_timestamp': 1,
  'net.netfilter.nf_conntrack_tcp_loose': 1,
};

/**
 * Both ends of each link are born in their namespaces, so that no name appears on the machine itself. The
 * ends have different interface numbers: with equal ones the kernel may take a second to notice that the
 * link is up (linkwatch_urgent_event), and until then it answers no neighbour solicitation.
 */
export function linkSteps(plan: LabPlan): Step[] {
  let index = 10;
  const veth = (name: string, peer: string, role: string) => {
    index += 1;
    return `link add ${name} index ${index} type veth peer name ${peer} index ${100 + index} netns ${namespaceOf(plan, role)}`;
  };
  const ports = plan.lan.clients.map((_, port) => port + 1);
  return [
    batch(
      ['-n', namespaceOf(plan, 'router')],
      [
        'link add lan type bridge mcast_snooping 0',
        ...ports.flatMap((port) => [
          veth(`lan${port}`, 'eth0', `client${port}`),
          `link set lan${port} master lan up`,
        ]),
        ...plan.wans.map((wan) => veth(wan.name, 'customer', `isp${wan.id}`)),
      ],
    ),
    ...plan.wans.map((wan) =>
      batch(['-n', namespaceOf(plan, `isp${wan.id}`)], [veth('core', `isp${wan.id}`, 'server')]),
    ),
  ];
}

function address(interfaceName: string, addresses: Addresses): string[] {
  return [
    `address add ${addresses.ipv4}/24 dev ${interfaceName}`,
    `address add ${addresses.ipv6}/64 dev ${interfaceName} nodad`,
    `link set ${interfaceName} up`,
  ];
}

export function addressSteps(plan: LabPlan): Step[] {
  return [
    ...plan.lan.clients.map((addresses, index) =>
      batch(
        ['-n', namespaceOf(plan, `client${index + 1}`)],
        [
          'link set lo up',
          ...address('eth0', addresses),
          ...families.map((family) => `route add default via ${plan.lan.router[family]}`),
        ],
      ),
    ),
    ...plan.wans.map((wan) => batch(['-n', namespaceOf(plan, `isp${wan.id}`)], ispLines(plan, wan))),
    batch(['-n', namespaceOf(plan, 'server')], serverLines(plan)),
    batch(['-n', namespaceOf(plan, 'router')], routerLines(plan)),
    ...ruleSteps(plan),
  ];
}

function ispLines(plan: LabPlan, wan: Wan): string[] {
  return [
    'link set lo up',
    ...address('customer', wan.ispAddress),
    ...address('core', wan.coreIspAddress),
    ...families.flatMap((family) => [
      `route add ${plan.serverNetwork[family]} via ${wan.coreServerAddress[family]}`,
      ...(plan.masquerade ? [] : [`route add ${plan.lan.network[family]} via ${wan.routerAddress[family]}`]),
    ]),
  ];
}

function serverLines(plan: LabPlan): string[] {
  const [first] = plan.wans;
  return [
    'link set lo up',
    ...plan.serverAddresses.ipv4.map((each) => `address add ${each}/32 dev lo`),
    ...plan.serverAddresses.ipv6.map((each) => `address add ${each}/128 dev lo nodad`),
    ...plan.wans.flatMap((wan) => address(`isp${wan.id}`, wan.coreServerAddress)),
    ...families.flatMap((family) => [
      ...plan.wans.map((wan) => `route add ${wan.network[family]} via ${wan.coreIspAddress[family]}`),
      // Clients that are not masqueraded are reached by the provider that they came by: see fromIspSet.
      ...(plan.masquerade
        ? []
        : [`route add ${plan.lan.network[family]} via ${first!.coreIspAddress[family]}`]),
      ...(plan.masquerade ? [] : plan.wans).map(
        (wan) => `route add ${plan.lan.network[family]} via ${wan.coreIspAddress[family]} table ${wan.id}`,
      ),
    ]),
  ];
}

/** The main table leads to the first WAN; each WAN has a table of its own, with the connected networks. */
function routerLines(plan: LabPlan): string[] {
  const [first] = plan.wans;
  return [
    'link set lo up',
    ...address('lan', plan.lan.router),
    ...plan.wans.flatMap((wan) => address(wan.name, wan.routerAddress)),
    ...families.flatMap((family) => [
      `route add default via ${first!.ispAddress[family]} dev ${first!.name}`,
      ...plan.wans.flatMap((wan) => [
        `route add ${plan.lan.network[family]} dev lan table ${wan.id}`,
        `route add default via ${wan.ispAddress[family]} dev ${wan.name} table ${wan.id}`,
      ]),
    ]),
  ];
}

function ruleSteps(plan: LabPlan): Step[] {
  const mask = hex(plan.markMask);
  const router = [
    ...plan.wans.map((wan) => `rule add pref ${1000 + wan.id} iif ${wan.name} lookup main`),
    ...plan.wans.map(
      (wan) => `rule add pref ${2000 + wan.id} fwmark ${hex(wan.mark)}/${mask} lookup ${wan.id}`,
    ),
    `rule add pref 2061 fwmark ${hex(plan.blackholeMark)}/${mask} blackhole`,
    `rule add pref 2062 fwmark ${hex(plan.unreachableMark)}/${mask} unreachable`,
  ];
  const server = plan.wans.map((wan) => `rule add pref ${2000 + wan.id} fwmark ${wan.id} lookup ${wan.id}`);
  return ['-4', '-6'].flatMap((family) => [
    batch([family, '-n', namespaceOf(plan, 'router')], router),
    ...(plan.masquerade ? [] : [batch([family, '-n', namespaceOf(plan, 'server')], server)]),
  ]);
}
