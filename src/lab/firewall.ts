/** The router's sets and rules, in the order of mwan3, as input of `ipset restore` and `iptables-restore`. */
import type { Step } from './command.ts';
import { inside } from './command.ts';
import type { Family, LabPlan, LabRule } from './plan.ts';
import { families, hex, namespaceOf } from './plan.ts';

const setFamily = (family: Family) => (family === 'ipv4' ? 'inet' : 'inet6');
const connectedSet = (family: Family) => `mwan3_connected_${family}`;

/**
 * Who last sent a packet to the server through that provider: elements are (source address, source port).
 * The server answers by the same provider, and the laboratory reads from it which way a flow goes.
 */
export const fromIspSet = (wan: number, family: Family) => `from_isp${wan}.${family}`;

const restoreProgram = { ipv4: 'iptables-restore', ipv6: 'ip6tables-restore' } as const;

/** Makes the sets. Goes before `firewallSteps`, since a rule cannot name a set that does not exist. */
export function setSteps(plan: LabPlan): Step[] {
  const steps = [restoreSets(plan, 'router', routerSetLines(plan))];
  if (!plan.masquerade) steps.push(restoreSets(plan, 'server', serverSetLines(plan)));
  return steps;
}

function restoreSets(plan: LabPlan, role: string, lines: readonly string[]): Step {
  const input = `${lines.join('\n')}\n`;
  return inside(namespaceOf(plan, role), { command: 'ipset', args: ['restore'], input });
}

function routerSetLines(plan: LabPlan): string[] {
  const always = { ipv4: ['127.0.0.0/8', '224.0.0.0/3'], ipv6: ['fe80::/10', 'ff00::/8'] } as const;
  return [
    ...families.flatMap((family) => [
      `create ${connectedSet(family)} hash:net family ${setFamily(family)}`,
      ...[plan.lan.network, ...plan.wans.map((wan) => wan.network)].map(
        (network) => `add ${connectedSet(family)} ${network[family]}`,
      ),
      ...always[family].map((network) => `add ${connectedSet(family)} ${network}`),
    ]),
    ...plan.sets.map(({ name, type, family, timeout }) =>
      [`create ${name} ${type} family ${setFamily(family)}`, timeout !== undefined && `timeout ${timeout}`]
        .filter(Boolean)
        .join(' '),
    ),
  ];
}

function serverSetLines(plan: LabPlan): string[] {
  return plan.wans.flatMap(({ id }) =>
    families.map((family) => `create ${fromIspSet(id, family)} hash:ip,port family ${setFamily(family)}`),
  );
}

export function firewallSteps(plan: LabPlan): Step[] {
  return families.flatMap((family) => [
    restoreTables(plan, 'router', family, [...mangleTable(plan, family), ...natTable(plan, family)]),
    ...(plan.masquerade ? [] : [restoreTables(plan, 'server', family, serverTable(plan, family))]),
  ]);
}

function restoreTables(plan: LabPlan, role: string, family: Family, lines: readonly string[]): Step {
  const input = `${lines.join('\n')}\n`;
  // Both families' programs share one lock where they are of the legacy kind: --wait.
  return inside(namespaceOf(plan, role), {
    command: restoreProgram[family],
    args: ['--wait', '5', '--noflush'],
    input,
  });
}

/** Makes that WAN the one of whatever no rule claims; flows that exist keep their marks. */
export function defaultWanStep(plan: LabPlan, family: Family, wan: number): Step {
  const lines = ['*mangle', ':mwan3_default - [0:0]', defaultLine(plan, wan), 'COMMIT'];
  return restoreTables(plan, 'router', family, lines);
}

const wanOf = (plan: LabPlan, id: number) => {
  const wan = plan.wans.find((each) => each.id === id);
  if (!wan) throw new RangeError(`no WAN ${id}: there are 1 to ${plan.wans.length}`);
  return wan;
};

const setMark = (plan: LabPlan, mark: number) => `-j MARK --set-xmark ${hex(mark)}/${hex(plan.markMask)}`;
const unmarked = (plan: LabPlan) => `-m mark --mark 0x0/${hex(plan.markMask)}`;
const defaultLine = (plan: LabPlan, wan: number) =>
  `-A mwan3_default ${setMark(plan, wanOf(plan, wan).mark)}`;

function mangleTable(plan: LabPlan, family: Family): string[] {
  const mask = hex(plan.markMask);
  const none = unmarked(plan);
  const connected = connectedSet(family);
  const neighbourDiscovery = family === 'ipv6' ? [133, 134, 135, 136, 137] : [];
  return [
    '*mangle',
    ...['hook', 'ifaces_in', 'connected', 'rules', 'default'].map((name) => `:mwan3_${name} - [0:0]`),
    '-A PREROUTING -j mwan3_hook',
    '-A OUTPUT -j mwan3_hook',
    ...neighbourDiscovery.map(
      (type) => `-A mwan3_hook -p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j RETURN`,
    ),
    `-A mwan3_hook -j CONNMARK --restore-mark --nfmask ${mask} --ctmask ${mask}`,
    `-A mwan3_hook ${none} -j mwan3_ifaces_in`,
    `-A mwan3_hook ${none} -j mwan3_connected`,
    `-A mwan3_hook ${none} -j mwan3_rules`,
    `-A mwan3_hook -j CONNMARK --save-mark --nfmask ${mask} --ctmask ${mask}`,
    ...plan.wans.flatMap((wan) => [
      `-A mwan3_ifaces_in -i ${wan.name} ${none} -m set --match-set ${connected} src ${setMark(plan, plan.defaultMark)}`,
      `-A mwan3_ifaces_in -i ${wan.name} ${none} ${setMark(plan, wan.mark)}`,
    ]),
    `-A mwan3_connected -m set --match-set ${connected} dst ${setMark(plan, plan.defaultMark)}`,
    ...plan.rules.filter((rule) => rule.family === family).map((rule) => ruleLine(plan, rule)),
    `-A mwan3_rules ${none} -j mwan3_default`,
    defaultLine(plan, plan.defaultWan),
    'COMMIT',
  ];
}

function ruleLine(plan: LabPlan, rule: LabRule): string {
  const { protocol, destinationPorts, set, match = 'dst' } = rule;
  return [
    `-A mwan3_rules ${unmarked(plan)}`,
    protocol && `-p ${protocol}`,
    destinationPorts && `-m multiport --dports ${destinationPorts.join(',')}`,
    set && `-m set --match-set ${set} ${match}`,
    setMark(plan, wanOf(plan, rule.wan).mark),
  ]
    .filter(Boolean)
    .join(' ');
}

function natTable(plan: LabPlan, family: Family): string[] {
  const bracketed = (address: string) => (family === 'ipv6' ? `[${address}]` : address);
  return [
    '*nat',
    ...plan.portForwards.flatMap(({ protocol, port, client }) =>
      plan.wans.map((wan) => {
        const target = bracketed(plan.lan.clients[client - 1]![family]);
        return `-A PREROUTING -i ${wan.name} -p ${protocol} --dport ${port} -j DNAT --to-destination ${target}:${port}`;
      }),
    ),
    ...(plan.masquerade ? plan.wans : []).map((wan) => `-A POSTROUTING -o ${wan.name} -j MASQUERADE`),
    'COMMIT',
  ];
}

function serverTable(plan: LabPlan, family: Family): string[] {
  const cameBy = plan.wans.flatMap(({ id }) => [
    ...plan.wans
      .filter((other) => other.id !== id)
      .map((other) => `-A PREROUTING -i isp${id} -j SET --del-set ${fromIspSet(other.id, family)} src,src`),
    `-A PREROUTING -i isp${id} -j SET --add-set ${fromIspSet(id, family)} src,src --exist`,
  ]);
  const answerBy = plan.wans.map(
    ({ id }) => `-A OUTPUT -m set --match-set ${fromIspSet(id, family)} dst,dst -j MARK --set-mark ${id}`,
  );
  return ['*mangle', ...cameBy, ...answerBy, 'COMMIT'];
}
