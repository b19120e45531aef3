/** Which rules a flow fits, and which of their sets are worth a question. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { candidatesOf, fits } from '../../src/daemon/candidates.ts';
import { makeStanding } from '../../src/daemon/standing.ts';
import { exemptRule, flow, network, plainRule, plan, rule, uplink } from '../support/plans.ts';

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const GRE = 47;
const v4 = flow('192.168.1.7', '203.0.113.10');
const v6 = flow('2001:db8:1::7', '2001:db8:2::10');
const ports = (from: number, to = from) => [{ from, to }];

const fitting: readonly [what: string, Parameters<typeof fits>[0], Parameters<typeof fits>[1], boolean][] = [
  ['a rule for everything', rule([0]), v4, true],
  ['a rule for everything, IPv6', rule([0]), v6, true],
  ['its family', rule([0], { family: 'ipv4' }), v4, true],
  ['its family, IPv6', rule([0], { family: 'ipv6' }), v6, true],
  ['another family', rule([0], { family: 'ipv6' }), v4, false],
  ['another family, IPv6', rule([0], { family: 'ipv4' }), v6, false],
  ['its protocol', rule([0], { protocol: TCP }), v4, true],
  ['another protocol', rule([0], { protocol: UDP }), v4, false],
  ['protocol number 0', rule([0], { protocol: 0 }), v4, false],
  ['its destination port', rule([0], { destinationPorts: ports(443) }), v4, true],
  ['the first of a range', rule([0], { destinationPorts: ports(443, 500) }), v4, true],
  ['the last of a range', rule([0], { destinationPorts: ports(400, 443) }), v4, true],
  ['the second range', rule([0], { destinationPorts: [...ports(80), ...ports(443)] }), v4, true],
  ['another destination port', rule([0], { destinationPorts: ports(444, 500) }), v4, false],
  ['its source port', rule([0], { sourcePorts: ports(40_000) }), v4, true],
  ['another source port', rule([0], { sourcePorts: ports(443) }), v4, false],
  [
    'an echo request, whose type and code make 2048',
    rule([0], { destinationPorts: ports(2048) }),
    flow('192.168.1.7', '203.0.113.10', { protocol: ICMP, destinationPort: 2048 }),
    false,
  ],
  [
    'an echo request, whose id is no port',
    rule([0], { sourcePorts: ports(40_000) }),
    flow('192.168.1.7', '203.0.113.10', { protocol: ICMP }),
    false,
  ],
  [
    'a call id of GRE',
    rule([0], { destinationPorts: ports(443) }),
    flow('192.168.1.7', '203.0.113.10', { protocol: GRE }),
    false,
  ],
  ['its source', rule([0], { sources: [network('192.168.1.0/24')] }), v4, true],
  ['its source, IPv6', rule([0], { sources: [network('2001:db8:1::/48')] }), v6, true],
  ['the second source', rule([0], { sources: [network('10.0.0.0/8'), network('192.168.1.7')] }), v4, true],
  ['another source', rule([0], { sources: [network('192.168.2.0/24')] }), v4, false],
  [
    'its destination, where a source is asked',
    rule([0], { sources: [network('203.0.113.0/24')] }),
    v4,
    false,
  ],
  ['sources of the other family', rule([0], { sources: [network('::/0')] }), v4, false],
  ['sources of the other family, IPv6', rule([0], { sources: [network('0.0.0.0/0')] }), v6, false],
  ['its destination', rule([0], { destinations: [network('203.0.113.0/24')] }), v4, true],
  ['its destination, IPv6', rule([0], { destinations: [network('2001:db8:2::/48')] }), v6, true],
  ['every destination', rule([0], { destinations: [network('0.0.0.0/0')] }), v4, true],
  ['another destination', rule([0], { destinations: [network('198.51.100.0/24')] }), v4, false],
  [
    'its source, where a destination is asked',
    rule([0], { destinations: [network('192.168.1.0/24')] }),
    v4,
    false,
  ],
  ['destinations of the other family', rule([0], { destinations: [network('::/0')] }), v4, false],
  [
    'its source and another destination',
    rule([0], { sources: [network('192.168.1.0/24')], destinations: [network('10.0.0.0/8')] }),
    v4,
    false,
  ],
  ['a rule without a set', plainRule([0]), v4, true],
];

for (const [what, tried, facts, expected] of fitting) {
  test(`fits: ${what}`, () => assert.is(fits(tried, facts), expected));
}

/** The candidates of an IPv4 flow on interface 0 of three, of which the last is offline. */
function candidates(rules: ReturnType<typeof rule>[], facts = v4): number[] {
  const standing = makeStanding(plan([uplink('a'), uplink('b'), uplink('c')], rules), [true, true, false]);
  const into: number[] = [];
  const count = candidatesOf(standing, facts, into);
  return into.slice(0, count);
}

test('rules whose answers can only leave the flow where it is are not asked', () => {
  assert.equal(candidates([]), []);
  assert.equal(candidates([rule([0])]), []);
  assert.equal(candidates([rule([2])]), []);
  assert.equal(candidates([rule([1])]), [0]);
  assert.equal(candidates([rule([0, 1])]), []);
  assert.equal(candidates([rule([0]), rule([2])]), []);
});

test('a rule before one that moves the flow is asked, one behind it is not', () => {
  assert.equal(candidates([rule([0]), rule([1]), rule([0])]), [0, 1]);
  assert.equal(candidates([rule([2]), rule([1]), rule([2])]), [0, 1]);
  assert.equal(candidates([rule([1]), rule([0]), rule([1])]), [0, 1, 2]);
});

test('rules that the flow does not fit are passed over', () => {
  const udp = { protocol: UDP };
  assert.equal(candidates([rule([0], udp), rule([1]), rule([1], udp)]), [1]);
  assert.equal(candidates([rule([1], { family: 'ipv6' })]), []);
  assert.equal(candidates([rule([1], { family: 'ipv6' })], v6), [0]);
});

test('no rule behind one without a set is reached', () => {
  assert.equal(candidates([plainRule([0]), rule([1])]), []);
  assert.equal(candidates([plainRule([1]), rule([1])]), []);
  assert.equal(candidates([plainRule([]), rule([1])]), []);
  assert.equal(candidates([rule([1]), plainRule([0]), rule([1])]), [0]);
  assert.equal(candidates([plainRule([0], { protocol: UDP }), rule([1])]), [1]);
});

test('a rule without a set matters to flows on an interface that is offline', () => {
  const offline = { ...v4, interface: 2 };
  assert.equal(candidates([plainRule([0])], offline), [0]);
  assert.equal(candidates([plainRule([2])], offline), []);
  assert.equal(candidates([rule([2]), plainRule([0]), rule([0])], offline), [0, 1]);
});

test('an exempt set is asked before a rule that moves the flow', () => {
  assert.equal(candidates([exemptRule(), rule([1])]), [0, 1]);
  assert.equal(candidates([exemptRule(), rule([0])]), []);
});

test('what is left in the list from before does not count', () => {
  const standing = makeStanding(plan([uplink('a')], [rule([0])]), [true]);
  const into = [5, 6, 7];
  assert.is(candidatesOf(standing, v4, into), 0);
});

test.run();
