import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Step } from '../../src/lab/command.ts';
import { defaultWanStep, firewallSteps, setSteps } from '../../src/lab/firewall.ts';
import { addressSteps, linkSteps, namespaceSteps, sysctlSteps } from '../../src/lab/links.ts';
import { planLab } from '../../src/lab/plan.ts';

const lines = (step: Step | undefined) => (step?.input ?? '').split('\n').filter(Boolean);
const shown = ({ command, args }: Step) => [command, ...args].join(' ');
const find = (steps: Step[], start: string) => steps.find((step) => shown(step).startsWith(start));
const router4 = 'ip netns exec x-router iptables-restore';
const router6 = 'ip netns exec x-router ip6tables-restore';

test('all namespaces are made by one program', () => {
  const [step, ...rest] = namespaceSteps(planLab('x'));
  assert.equal(rest, []);
  assert.is(shown(step!), 'ip -batch -');
  assert.equal(
    lines(step),
    ['router', 'server', 'client1', 'client2', 'isp1', 'isp2'].map((role) => `netns add x-${role}`),
  );
});

test('kernel settings: the router tracks, providers check their customers', () => {
  const steps = sysctlSteps(planLab('x', { sysctls: { 'net.netfilter.nf_conntrack_tcp_loose': 0 } }));
  const settings = (role: string) => find(steps, `ip netns exec x-${role} sysctl -q -w`)!.args.slice(6);
  assert.is(steps.length, 6);
  assert.ok(settings('router').includes('net.ipv4.ip_forward=1'));
  assert.ok(settings('router').includes('net.ipv4.conf.all.rp_filter=0'));
  assert.ok(settings('router').includes('net.netfilter.nf_conntrack_events=1'));
  assert.equal(
    settings('router').filter((each) => each.includes('tcp_loose')),
    ['net.netfilter.nf_conntrack_tcp_loose=0'],
  );
  assert.ok(settings('isp2').includes('net.ipv4.conf.all.rp_filter=1'));
  assert.ok(settings('client1').includes('net.ipv4.ip_forward=0'));
  assert.not.ok(settings('client1').some((each) => each.includes('conntrack')));
});

test('links are born in their namespaces, with a number of its own at each end', () => {
  const steps = linkSteps(planLab('x', { wans: 1 }));
  assert.equal(steps.map(shown), ['ip -n x-router -batch -', 'ip -n x-isp1 -batch -']);
  assert.equal(lines(steps[0]), [
    'link add lan type bridge mcast_snooping 0',
    'link add lan1 index 11 type veth peer name eth0 index 111 netns x-client1',
    'link set lan1 master lan up',
    'link add lan2 index 12 type veth peer name eth0 index 112 netns x-client2',
    'link set lan2 master lan up',
    'link add wan index 13 type veth peer name customer index 113 netns x-isp1',
  ]);
  assert.equal(lines(steps[1]), ['link add core index 14 type veth peer name isp1 index 114 netns x-server']);
});

test('the router has a table and a rule for each WAN, in both families', () => {
  const steps = addressSteps(planLab('x'));
  const routes = lines(find(steps, 'ip -n x-router')).filter((line) => line.startsWith('route'));
  assert.equal(routes.slice(0, routes.length / 2), [
    'route add default via 100.64.1.1 dev wan',
    'route add 192.168.50.0/24 dev lan table 1',
    'route add default via 100.64.1.1 dev wan table 1',
    'route add 192.168.50.0/24 dev lan table 2',
    'route add default via 100.64.2.1 dev wanb table 2',
  ]);
  const rules = [
    'rule add pref 1001 iif wan lookup main',
    'rule add pref 1002 iif wanb lookup main',
    'rule add pref 2001 fwmark 0x100/0x3f00 lookup 1',
    'rule add pref 2002 fwmark 0x200/0x3f00 lookup 2',
    'rule add pref 2061 fwmark 0x3d00/0x3f00 blackhole',
    'rule add pref 2062 fwmark 0x3e00/0x3f00 unreachable',
  ];
  assert.equal(lines(find(steps, 'ip -4 -n x-router')), rules);
  assert.equal(lines(find(steps, 'ip -6 -n x-router')), rules);
});

test('only without masquerading does anyone know the way to the clients', () => {
  const toLan = (masquerade: boolean, role: string) =>
    lines(find(addressSteps(planLab('x', { masquerade })), `ip -n x-${role}`)).filter((line) =>
      line.includes('192.168.50.0/24'),
    );
  assert.equal(toLan(true, 'isp2'), []);
  assert.equal(toLan(true, 'server'), []);
  assert.equal(toLan(false, 'isp2'), ['route add 192.168.50.0/24 via 100.64.2.2']);
  assert.equal(toLan(false, 'server'), [
    'route add 192.168.50.0/24 via 100.127.1.1',
    'route add 192.168.50.0/24 via 100.127.1.1 table 1',
    'route add 192.168.50.0/24 via 100.127.2.1 table 2',
  ]);
});

test('the chains follow the order of mwan3', () => {
  const table = lines(find(firewallSteps(planLab('x')), router4));
  assert.equal(table, [
    '*mangle',
    ':mwan3_hook - [0:0]',
    ':mwan3_ifaces_in - [0:0]',
    ':mwan3_connected - [0:0]',
    ':mwan3_rules - [0:0]',
    ':mwan3_default - [0:0]',
    '-A PREROUTING -j mwan3_hook',
    '-A OUTPUT -j mwan3_hook',
    '-A mwan3_hook -j CONNMARK --restore-mark --nfmask 0x3f00 --ctmask 0x3f00',
    '-A mwan3_hook -m mark --mark 0x0/0x3f00 -j mwan3_ifaces_in',
    '-A mwan3_hook -m mark --mark 0x0/0x3f00 -j mwan3_connected',
    '-A mwan3_hook -m mark --mark 0x0/0x3f00 -j mwan3_rules',
    '-A mwan3_hook -j CONNMARK --save-mark --nfmask 0x3f00 --ctmask 0x3f00',
    '-A mwan3_ifaces_in -i wan -m mark --mark 0x0/0x3f00 -m set --match-set mwan3_connected_ipv4 src -j MARK --set-xmark 0x3f00/0x3f00',
    '-A mwan3_ifaces_in -i wan -m mark --mark 0x0/0x3f00 -j MARK --set-xmark 0x100/0x3f00',
    '-A mwan3_ifaces_in -i wanb -m mark --mark 0x0/0x3f00 -m set --match-set mwan3_connected_ipv4 src -j MARK --set-xmark 0x3f00/0x3f00',
    '-A mwan3_ifaces_in -i wanb -m mark --mark 0x0/0x3f00 -j MARK --set-xmark 0x200/0x3f00',
    '-A mwan3_connected -m set --match-set mwan3_connected_ipv4 dst -j MARK --set-xmark 0x3f00/0x3f00',
    '-A mwan3_rules -m mark --mark 0x0/0x3f00 -m set --match-set app_1.v4 dst -j MARK --set-xmark 0x200/0x3f00',
    '-A mwan3_rules -m mark --mark 0x0/0x3f00 -j mwan3_default',
    '-A mwan3_default -j MARK --set-xmark 0x100/0x3f00',
    'COMMIT',
    '*nat',
    '-A POSTROUTING -o wan -j MASQUERADE',
    '-A POSTROUTING -o wanb -j MASQUERADE',
    'COMMIT',
  ]);
});

test('IPv6 neighbours are found without a mark', () => {
  const table = lines(find(firewallSteps(planLab('x')), router6));
  const discovery = table.filter((line) => line.includes('icmp6'));
  assert.is(discovery.length, 5);
  assert.is(discovery[2], '-A mwan3_hook -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j RETURN');
  assert.ok(table.indexOf(discovery[4]!) < table.findIndex((line) => line.includes('--restore-mark')));
});

test('a rule says all that is given', () => {
  const plan = planLab('x', {
    markMask: 0xff00,
    rules: [
      {
        family: 'ipv4',
        set: 'voip',
        match: 'dst,dst',
        protocol: 'udp',
        destinationPorts: [443, 5060],
        wan: 2,
      },
      { family: 'ipv6', set: 'voip6', wan: 1 },
    ],
  });
  const rules = (start: string) =>
    lines(find(firewallSteps(plan), start)).filter(
      (line) => line.startsWith('-A mwan3_rules') && !line.endsWith('mwan3_default'),
    );
  assert.equal(rules(router4), [
    '-A mwan3_rules -m mark --mark 0x0/0xff00 -p udp -m multiport --dports 443,5060 -m set --match-set voip dst,dst -j MARK --set-xmark 0x200/0xff00',
  ]);
  assert.equal(rules(router6), [
    '-A mwan3_rules -m mark --mark 0x0/0xff00 -m set --match-set voip6 dst -j MARK --set-xmark 0x100/0xff00',
  ]);
});

test('ports are forwarded from every WAN', () => {
  const plan = planLab('x', { portForwards: [{ protocol: 'tcp', port: 8080, client: 2 }] });
  const forwards = (start: string) =>
    lines(find(firewallSteps(plan), start)).filter((line) => line.includes('DNAT'));
  assert.equal(forwards(router4), [
    '-A PREROUTING -i wan -p tcp --dport 8080 -j DNAT --to-destination 192.168.50.3:8080',
    '-A PREROUTING -i wanb -p tcp --dport 8080 -j DNAT --to-destination 192.168.50.3:8080',
  ]);
  assert.is(
    forwards(router6)[1],
    '-A PREROUTING -i wanb -p tcp --dport 8080 -j DNAT --to-destination [fd00:50::3]:8080',
  );
});

test('sets: those of the router, and without masquerading those by which the server answers', () => {
  const sets = [
    { name: 'app_1.v4', type: 'hash:ip', family: 'ipv4', timeout: 0 },
    { name: 'nets', type: 'hash:net', family: 'ipv6' },
  ] as const;
  const [router, ...none] = setSteps(planLab('x', { sets, rules: [] }));
  assert.equal(none, []);
  assert.is(shown(router!), 'ip netns exec x-router ipset restore');
  assert.equal(lines(router), [
    'create mwan3_connected_ipv4 hash:net family inet',
    'add mwan3_connected_ipv4 192.168.50.0/24',
    'add mwan3_connected_ipv4 100.64.1.0/24',
    'add mwan3_connected_ipv4 100.64.2.0/24',
    'add mwan3_connected_ipv4 127.0.0.0/8',
    'add mwan3_connected_ipv4 224.0.0.0/3',
    'create mwan3_connected_ipv6 hash:net family inet6',
    'add mwan3_connected_ipv6 fd00:50::/64',
    'add mwan3_connected_ipv6 fd00:64:1::/64',
    'add mwan3_connected_ipv6 fd00:64:2::/64',
    'add mwan3_connected_ipv6 fe80::/10',
    'add mwan3_connected_ipv6 ff00::/8',
    'create app_1.v4 hash:ip family inet timeout 0',
    'create nets hash:net family inet6',
  ]);
  const [, server] = setSteps(planLab('x', { masquerade: false }));
  assert.is(shown(server!), 'ip netns exec x-server ipset restore');
  assert.ok(lines(server).includes('create from_isp2.ipv6 hash:ip,port family inet6'));
});

test('not masqueraded: no source NAT, and the server notes by whom a packet came', () => {
  const steps = firewallSteps(planLab('x', { masquerade: false }));
  assert.not.ok(lines(find(steps, router4)).some((line) => line.includes('MASQUERADE')));
  assert.equal(lines(find(steps, 'ip netns exec x-server iptables-restore')), [
    '*mangle',
    '-A PREROUTING -i isp1 -j SET --del-set from_isp2.ipv4 src,src',
    '-A PREROUTING -i isp1 -j SET --add-set from_isp1.ipv4 src,src --exist',
    '-A PREROUTING -i isp2 -j SET --del-set from_isp1.ipv4 src,src',
    '-A PREROUTING -i isp2 -j SET --add-set from_isp2.ipv4 src,src --exist',
    '-A OUTPUT -m set --match-set from_isp1.ipv4 dst,dst -j MARK --set-mark 1',
    '-A OUTPUT -m set --match-set from_isp2.ipv4 dst,dst -j MARK --set-mark 2',
    'COMMIT',
  ]);
});

test('another default WAN replaces one chain and touches nothing else', () => {
  const step = defaultWanStep(planLab('x'), 'ipv6', 2);
  assert.is(shown(step), `${router6} --wait 5 --noflush`);
  assert.equal(lines(step), [
    '*mangle',
    ':mwan3_default - [0:0]',
    '-A mwan3_default -j MARK --set-xmark 0x200/0x3f00',
    'COMMIT',
  ]);
  assert.throws(() => defaultWanStep(planLab('x'), 'ipv4', 9), 'no WAN 9: there are 1 to 2');
});

test.run();
