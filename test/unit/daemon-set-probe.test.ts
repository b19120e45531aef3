/** How a rule asks its set: byte for byte what the library asks of the same element, or why it cannot. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MatchField, PlanRule } from '../../src/daemon/plan.ts';
import { QuestionBatch } from '../../src/daemon/questionBatch.ts';
import { setProbe } from '../../src/daemon/setProbe.ts';
import { type Element, encodeElement, type SetShape } from '../../src/ipset/element.ts';
import { IPSET_CMD } from '../../src/ipset/index.ts';
import { elementMessage } from '../../src/ipset/messages.ts';
import { setTypeOf } from '../../src/ipset/setType.ts';
import { toHex } from '../../src/nfnetlink/index.ts';
import { flow, INET, INET6, rule } from '../support/plans.ts';
import { flowStore } from '../support/storedFlows.ts';

const PROTOCOL = 7;
const TCP = 6;
const UDP = 17;
const ICMP = 1;
const GRE = 47;
const ESP = 50;
const ICMPV6 = 58;

function shape(type: string, family: number): SetShape {
  const found = setTypeOf(type);
  return { name: 'app', type: found, revision: found.revision, family };
}

function probeOf(type: string, family: number, match: readonly MatchField[], more: Partial<PlanRule> = {}) {
  return setProbe(rule([0], { match, ...more }), shape(type, family), PROTOCOL);
}

const v4 = flow('192.168.1.7', '203.0.113.10');
const v6 = flow('2001:db8:1::7', '2001:db8:2::10', { protocol: UDP });
const echo = flow('192.168.1.7', '203.0.113.10', { protocol: ICMP, sourcePort: 77, destinationPort: 0x0800 });
const echo6 = flow('2001:db8:1::7', '2001:db8:2::10', { protocol: ICMPV6, destinationPort: 0x8000 });
const source = '192.168.1.7';
const destination = '203.0.113.10';
const tcp443 = { protocol: TCP, port: 443 };

const questions: readonly (readonly [type: string, match: readonly MatchField[], typeof v4, Element])[] = [
  ['hash:ip', ['dst'], v4, { ip: destination }],
  ['hash:ip', ['src'], v4, { ip: source }],
  ['hash:ip', ['dst'], v6, { ip: '2001:db8:2::10' }],
  ['hash:net', ['dst'], v4, { ip: destination }],
  ['hash:net', ['src'], v6, { ip: '2001:db8:1::7' }],
  ['hash:net,net', ['src', 'dst'], v4, { ip: source, ip2: destination }],
  ['hash:net,net', ['dst', 'src'], v6, { ip: '2001:db8:2::10', ip2: '2001:db8:1::7' }],
  ['hash:ip,port', ['dst', 'dport'], v4, { ip: destination, ...tcp443 }],
  ['hash:ip,port', ['src', 'sport'], v4, { ip: source, protocol: TCP, port: 40_000 }],
  ['hash:ip,port', ['dst', 'dport'], v6, { ip: '2001:db8:2::10', protocol: UDP, port: 443 }],
  ['hash:ip,port', ['dst', 'dport'], echo, { ip: destination, protocol: ICMP, port: 0x0800 }],
  ['hash:ip,port', ['dst', 'sport'], echo, { ip: destination, protocol: ICMP, port: 0x0800 }],
  ['hash:ip,port', ['dst', 'dport'], echo6, { ip: '2001:db8:2::10', protocol: ICMPV6, port: 0x8000 }],
  ['hash:net,port', ['dst', 'dport'], v4, { ip: destination, ...tcp443 }],
  ['hash:ip,port,ip', ['dst', 'dport', 'src'], v4, { ip: destination, ...tcp443, ip2: source }],
  ['hash:ip,port,net', ['dst', 'dport', 'src'], v4, { ip: destination, ...tcp443, ip2: source }],
  ['hash:net,port,net', ['src', 'dport', 'dst'], v4, { ip: source, ...tcp443, ip2: destination }],
  ['bitmap:ip', ['dst'], v4, { ip: destination }],
  ['bitmap:port', ['dport'], v4, { port: 443 }],
  ['bitmap:port', ['sport'], v6, { port: 40_000 }],
];

for (const [type, match, facts, element] of questions) {
  test(`${type} by ${match.join(',')}: ${JSON.stringify(element)}`, () => {
    const family = type === 'bitmap:port' ? 0 : facts.family;
    const probe = probeOf(type, family, match);
    if (typeof probe === 'string') throw new Error(probe);
    assert.is(probe.family, family);
    assert.ok(probe.fits(facts.protocol));
    const { store, keep } = flowStore();
    keep(v4);
    const slot = keep(facts);
    const target = new Uint8Array(probe.byteLength + 12).fill(0xa5);
    assert.is(probe.write(target, 8, store, slot), 8 + probe.byteLength);
    const data = encodeElement(element, shape(type, family), 'test');
    const expected = elementMessage(IPSET_CMD.TEST, { protocol: PROTOCOL, setName: 'app', data }, false);
    assert.is(toHex(target, 8, 8 + probe.byteLength), toHex(expected));
    assert.is(toHex(target, 0, 8) + toHex(target, 8 + probe.byteLength), 'a5'.repeat(12));
    assert.ok(probe.byteLength <= QuestionBatch.LONGEST);
  });
}

test('the longest question of all fits into its place in a batch', () => {
  const longest = { ...shape('hash:net,port,net', INET6), name: 'x'.repeat(31) };
  const probe = setProbe(rule([0], { match: ['src', 'dport', 'dst'] }), longest, PROTOCOL);
  assert.ok(typeof probe !== 'string' && probe.byteLength <= QuestionBatch.LONGEST);
});

test('a set of ports never holds a flow without ports; one of addresses holds any', () => {
  const fitting = (type: string, match: readonly MatchField[]) => {
    const probe = probeOf(type, INET, match);
    if (typeof probe === 'string') throw new Error(probe);
    return [TCP, UDP, GRE, ICMP, ESP].filter((protocol) => probe.fits(protocol));
  };
  assert.equal(fitting('hash:ip,port', ['dst', 'dport']), [TCP, UDP, GRE, ICMP]);
  assert.equal(fitting('hash:ip', ['dst']), [TCP, UDP, GRE, ICMP, ESP]);
});

const misfits: readonly (readonly [string, number, readonly MatchField[], Partial<PlanRule>, RegExp])[] = [
  ['hash:ip,mac', INET, ['dst', 'src'], {}, /hash:ip,mac: a flow has nothing to compare with its mac$/],
  ['hash:ip,mark', INET, ['dst', 'src'], {}, /nothing to compare with its mark$/],
  ['hash:net,iface', INET, ['dst', 'src'], {}, /nothing to compare with its iface$/],
  ['list:set', 0, ['dst'], {}, /nothing to compare with its set$/],
  ['hash:ip', INET, ['dst', 'dport'], {}, /has 1 dimensions, the rule matches dst,dport$/],
  ['hash:ip,port', INET, ['dst'], {}, /has 2 dimensions, the rule matches dst$/],
  ['hash:ip,port', INET, ['dport', 'dst'], {}, /dimension 1 .* is ip, the rule matches dport there$/],
  ['hash:net,net', INET, ['dst', 'dport'], {}, /dimension 2 .* is net, the rule matches dport there$/],
  ['bitmap:port', 0, ['dst'], {}, /dimension 1 .* is port, the rule matches dst there$/],
  ['hash:ip', INET6, ['dst'], { family: 'ipv4' }, /holds IPv6 addresses, the rule is for ipv4$/],
  ['hash:ip', INET, ['dst'], { family: 'ipv6' }, /holds IPv4 addresses, the rule is for ipv6$/],
];

for (const [type, family, match, more, why] of misfits) {
  test(`${type} by ${match.join(',')} ${JSON.stringify(more)} can hold no flow, and says why`, () => {
    const probe = probeOf(type, family, match, more);
    assert.type(probe, 'string');
    assert.match(probe as string, why);
  });
}

test('a set without addresses fits a rule of either family', () => {
  for (const family of ['ipv4', 'ipv6'] as const)
    assert.type(probeOf('bitmap:port', 0, ['dport'], { family }), 'object');
});

test.run();
