/** Rules drafted from distinct flows: how flows are grouped, and what each format makes of a rule. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { draftRules } from '../../src/report/draft.ts';
import { ruleTexts, setsOf } from '../../src/report/draftText.ts';
import type { FlowRecord } from '../../src/report/flowLines.ts';
import { selectFlows } from '../../src/report/flowTable.ts';
import { ipsetDraft } from '../../src/report/ipsetDraft.ts';
import { iptablesDraft } from '../../src/report/iptablesDraft.ts';
import { nftDraft } from '../../src/report/nftDraft.ts';
import { record, tableOf } from '../support/reportFlows.ts';

const rulesOf = (records: readonly Partial<FlowRecord>[], slack = 0) =>
  draftRules(selectFlows(tableOf(records), false), slack);
const textsOf = (records: readonly Partial<FlowRecord>[], slack = 0) => ruleTexts(rulesOf(records, slack));

/** The lines of a draft that say something. */
const bodyOf = (pieces: Iterable<string>) =>
  [...pieces]
    .join('')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

const lan = ['192.168.1.10', '192.168.1.11', '192.168.1.13'];

test('one rule a protocol and port, counting what was seen and what it adds', () => {
  const rules = rulesOf(
    [
      ...lan.map((source) => record({ source, flows: 10 })),
      record({ source: lan[0]!, destination: '203.0.113.9', sourcePort: 500 }),
      record({ source: lan[0]!, destination: '203.0.113.9', sourcePort: 501 }),
      record({ destinationPort: 22 }),
      record({ protocol: 'udp' }),
    ],
    1,
  );
  assert.equal(
    rules.map(({ protocol, port, counts }) => ({ protocol, port, ...counts })),
    [
      { protocol: 6, port: 22, flows: 1, sources: 1, destinations: 1, pairs: 1, added: 0 },
      { protocol: 6, port: 443, flows: 32, sources: 3, destinations: 2, pairs: 4, added: 0 },
      { protocol: 17, port: 443, flows: 1, sources: 1, destinations: 1, pairs: 1, added: 0 },
    ],
  );
  // .8 to .15 would have to be whole: five more for one rule less
  const [, wide] = rulesOf(
    lan.map((source) => record({ source })).concat(record({ destinationPort: 22 })),
    5,
  );
  assert.equal([wide!.sources, wide!.counts.added], [[{ words: [0xc0a80108], length: 29 }], 5]);
});

test('families, translated destinations, types of ICMP and protocols without ports are rules of their own', () => {
  const icmp = { ...record({ protocol: 'icmp' }), icmpType: 8, icmpCode: 0 };
  const rules = rulesOf([
    record({}),
    record({ translated: true, source: '192.0.2.2' }),
    record({ family: 'ipv6', source: '2001:db8::1', destination: '2001:db8::2' }),
    icmp,
    { ...icmp, icmpType: 13 },
    record({ protocol: 'gre' }),
    record({ protocol: '89' }),
  ]);
  assert.equal(
    rules.map(({ isIpv6, protocol, port, icmp: type, isTranslated }) => [
      ...[isIpv6, protocol, port, type?.type, isTranslated],
    ]),
    [
      [false, 6, 443, undefined, false],
      [false, 6, 443, undefined, true],
      [false, 1, undefined, 8, false],
      [false, 1, undefined, 13, false],
      [false, 47, undefined, undefined, false],
      [false, 89, undefined, undefined, false],
      [true, 6, 443, undefined, false],
    ],
  );
});

test('flows that others announced need no rule', () => {
  assert.equal(rulesOf([record({ related: true })]), []);
  assert.is(rulesOf([record({ related: true }), record({})]).length, 1);
});

const small = textsOf([
  record({ source: lan[0]! }),
  record({ source: lan[1]! }),
  record({ source: lan[2]! }),
  record({ translated: true, destinationPort: 8080 }),
  {
    ...record({ protocol: 'icmpv6', family: 'ipv6', source: '::1', destination: '::2' }),
    icmpType: 128,
    icmpCode: 0,
  },
  record({ protocol: 'sctp', destinationPort: 3868 }),
  record({ protocol: 'gre' }),
]);
const one = 'seen: flows 1, sources 1, destinations 1, pairs 1 of 1; hosts added 0';
const three = 'seen: flows 3, sources 3, destinations 1, pairs 3 of 3; hosts added 0';

test('for nft: a chain that no hook leads to', () => {
  const body = bodyOf(nftDraft(small));
  assert.equal(body.slice(body.lastIndexOf('chain seen {')), [
    'chain seen {',
    'ct state established,related accept',
    'meta l4proto ipv6-icmp ct state untracked accept',
    'ct state != new return',
    `ip saddr { 192.168.1.10/31, 192.168.1.13 } ip daddr 198.51.100.1 tcp dport 443 accept comment "${three}"`,
    `ip saddr 192.0.2.1 ct original ip daddr 198.51.100.1 meta l4proto 6 ct original proto-dst 8080 accept comment "${one}"`,
    `ip saddr 192.0.2.1 ip daddr 198.51.100.1 meta l4proto 47 accept comment "${one}"`,
    `ip saddr 192.0.2.1 ip daddr 198.51.100.1 sctp dport 3868 accept comment "${one}"`,
    `ip6 saddr ::1 ip6 daddr ::2 icmpv6 type 128 icmpv6 code 0 accept comment "${one}"`,
    '}',
    '}',
  ]);
  assert.not(body.some((line) => /\b(?:hook|policy|delete)\b/.test(line)));
});

test('for iptables: one file for both families, each rule with its own', () => {
  assert.equal(bodyOf(iptablesDraft(small)), [
    '*filter',
    ':resteer-seen - [0:0]',
    '-A resteer-seen -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
    '-6 -A resteer-seen -p ipv6-icmp -m conntrack --ctstate UNTRACKED -j ACCEPT',
    '-A resteer-seen -m conntrack ! --ctstate NEW -j RETURN',
    `-4 -A resteer-seen -s 192.168.1.10/31,192.168.1.13 -d 198.51.100.1 -p tcp --dport 443 -m comment --comment "${three}" -j ACCEPT`,
    `-4 -A resteer-seen -s 192.0.2.1 -m conntrack --ctorigdst 198.51.100.1 -p 6 -m conntrack --ctorigdstport 8080 -m comment --comment "${one}" -j ACCEPT`,
    `-4 -A resteer-seen -s 192.0.2.1 -d 198.51.100.1 -p 47 -m comment --comment "${one}" -j ACCEPT`,
    `-4 -A resteer-seen -s 192.0.2.1 -d 198.51.100.1 -p 132 -m multiport --dports 3868 -m comment --comment "${one}" -j ACCEPT`,
    `-6 -A resteer-seen -s ::1 -d ::2 -p ipv6-icmp --icmpv6-type 128/0 -m comment --comment "${one}" -j ACCEPT`,
    'COMMIT',
  ]);
});

test('five networks and more are a set, which has the same name everywhere', () => {
  const records = [0, 2, 4, 6, 8].map((host) => record({ destination: `203.0.113.${host}` }));
  const texts = textsOf(records);
  assert.equal(
    setsOf(texts).map(({ set }) => set),
    ['seen-tcp4-443-to'],
  );
  assert.equal(bodyOf(ipsetDraft(texts)), [
    'create seen-tcp4-443-to hash:net family inet maxelem 65536 -exist',
    'flush seen-tcp4-443-to',
    ...[0, 2, 4, 6, 8].map((host) => `add seen-tcp4-443-to 203.0.113.${host}`),
  ]);
  assert.match(bodyOf(iptablesDraft(texts)).join('\n'), / -m set --match-set seen-tcp4-443-to dst -p tcp /);
  const nft = bodyOf(nftDraft(texts)).join('\n');
  assert.match(nft, /ip daddr @seen-tcp4-443-to tcp dport 443/);
  assert.match(nft, /flush set inet resteer seen-tcp4-443-to\n/);
  assert.equal(setsOf(textsOf(records.slice(1))), []);
  assert.equal(bodyOf(ipsetDraft(textsOf(records.slice(1)))), []);
});

test('names and comments are within what the tools take', () => {
  const destinations = Array.from({ length: 5 }, (_, i) => `2001:db8::${2 * i}`);
  const texts = textsOf(
    ['udplite', '255', 'icmpv6'].flatMap((protocol) =>
      destinations.map((destination) => ({
        ...record({ family: 'ipv6', protocol, source: '::1', destination, destinationPort: 65_535 }),
        ...{ translated: true, icmpType: 255, icmpCode: 255, flows: 0xffffffff },
      })),
    ),
  );
  const names = setsOf(texts).map(({ set }) => set);
  assert.equal(names.sort(), [
    'seen-255v6-nat-to',
    'seen-icmp6-255-255-nat-to',
    'seen-udplite6-65535-nat-to',
  ]);
  assert.ok(names.every((name) => name.length <= 31));
  const counts = {
    flows: 2 ** 52,
    sources: 16_777_216,
    destinations: 16_777_216,
    pairs: 16_777_216,
    added: 65_535,
  };
  const { comment } = ruleTexts([{ ...rulesOf([record({})])[0]!, counts }])[0]!;
  assert.ok(comment.length <= 128 && /^[\w :,;]+$/.test(comment), comment);
});

test('of nothing seen the drafts accept what belongs to known flows, and load', () => {
  assert.match(
    bodyOf(nftDraft([])).join('\n'),
    /ct state established,related accept\nct state != new return\n\}/,
  );
  assert.equal(bodyOf(ipsetDraft([])), []);
});

test.run();
