/** Distinct flows: what tells them apart, their order, and the lines that are written and read of them. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLOW_CLASSES } from '../../src/report/flowClass.ts';
import { KEY_BYTES } from '../../src/report/flowKey.ts';
import { csvLines, jsonLines, textLines } from '../../src/report/flowLines.ts';
import { type FlowTable, selectFlows } from '../../src/report/flowTable.ts';
import { readFlowLine } from '../../src/report/readFlows.ts';
import { summaryLines } from '../../src/report/summary.ts';
import { emptyTable, record, tableOf, tableOfEvents } from '../support/reportFlows.ts';

const linesOf = (lines: Iterable<string>) => [...lines].join('').split('\n').slice(0, -1);
const textOf = (table: FlowTable, onlyConfirmed = false) =>
  linesOf(textLines(selectFlows(table, onlyConfirmed)));

test('captured events as lines: one a distinct flow, confirmed by what came later', () => {
  const table = tableOfEvents(
    'event-new-tcp6',
    'event-new-icmpv6',
    'event-new-tcp4-syn-sent',
    'event-update-tcp4-state3',
    'event-new-icmp',
    'event-new-gre1-pptp',
    'event-new-sctp4',
    'event-new-udplite4',
    'event-new-proto253-generic',
    'event-new-proto33-dccp',
    'event-new-udp4-zone5',
    'event-update-udp4-seen-reply',
    'event-new-udp4-origzone7',
  );
  assert.equal(textOf(table), [
    ' TCPv4 [           0] src = 10.9.0.1 (port=1024) to dst = 10.9.0.2 (port=8080) (confirmed)',
    ' UDPv4 [           0] src = 10.9.0.1 (port=1024) to dst = 10.9.0.2 (port=7005)',
    ' UDPv4 [           1] src = 10.9.0.1 (port=1024) to dst = 10.9.0.2 (port=7007) (confirmed)',
    ' UDPv4 [           2] src = 10.9.0.1 (port=1024) to dst = 10.9.0.2 (port=9090) (confirmed)',
    'ICMPv4 [           0] src = 10.9.0.1 to dst = 10.9.0.2 (type=8 | code=0)',
    '  IPv4 [           0] src = 10.9.0.1 to dst = 10.9.0.2 (protocol=33)',
    '  IPv4 [           1] src = 10.9.0.1 to dst = 10.9.0.2 (protocol=47)',
    '  IPv4 [           2] src = 10.9.0.1 to dst = 10.9.0.2 (protocol=253)',
    '  IPv4 [           3] src = 10.9.0.1 (port=1024) to dst = 10.9.0.2 (port=3001) (protocol=132)',
    '  IPv4 [           4] src = 10.9.0.1 (port=1024) to dst = 10.9.0.2 (port=9191) (protocol=136) (confirmed)',
    ' TCPv6 [           0] src = fd09::1 (port=1024) to dst = fd09::2 (port=8080)',
    'ICMPv6 [           0] src = fd09::1 to dst = fd09::2 (type=128 | code=0) (confirmed)',
  ]);
  assert.is(textOf(table, true).length, 5);
});

test('what the kernel says of translation and of flows that others announced is kept', () => {
  const table = tableOfEvents('event-new-tcp4-dnat', 'event-new-tcp4-ftp-data-related');
  assert.equal(
    linesOf(jsonLines(selectFlows(table, false))).map((line) => {
      const { translated, related } = JSON.parse(line);
      return { translated, related };
    }),
    [
      { translated: true, related: false },
      { translated: false, related: true },
    ],
  );
});

const samples = [
  record({ source: '10.0.0.10', confirmed: true, flows: 3 }),
  record({ source: '10.0.0.9', sourcePort: 1000 }),
  record({ source: '9.255.255.255' }),
  record({
    protocol: 'udp',
    source: '0.0.0.0',
    sourcePort: 68,
    destination: '255.255.255.255',
    destinationPort: 67,
  }),
  record({ family: 'ipv6', source: '2001:db8::a', destination: '2001:db8:0:1::1', destinationPort: 22 }),
  { ...record({ protocol: 'icmp' }), icmpType: 8, icmpCode: 0 },
  { ...record({ protocol: '89' }), related: true },
];

test('numerically, not as text; source ports from 1024 on are one', () => {
  assert.equal(textOf(tableOf(samples)), [
    ' TCPv4 [           0] src = 9.255.255.255 (port=1024) to dst = 198.51.100.1 (port=443)',
    ' TCPv4 [           1] src = 10.0.0.9 (port=1000) to dst = 198.51.100.1 (port=443)',
    ' TCPv4 [           2] src = 10.0.0.10 (port=1024) to dst = 198.51.100.1 (port=443) (confirmed)',
    ' UDPv4 [           0] src = 0.0.0.0 (port=68) to dst = 255.255.255.255 (port=67)',
    'ICMPv4 [           0] src = 192.0.2.1 to dst = 198.51.100.1 (type=8 | code=0)',
    '  IPv4 [           0] src = 192.0.2.1 to dst = 198.51.100.1 (protocol=89)',
    ' TCPv6 [           0] src = 2001:db8::a (port=1024) to dst = 2001:db8:0:1::1 (port=22)',
  ]);
  const folded = tableOf([40_000, 1024, 65_535, 1023].map((sourcePort) => record({ sourcePort })));
  assert.equal([folded.size, folded.flows(0)], [2, 3]);
});

test('CSV as RFC 4180 has it', () => {
  assert.equal(
    [...csvLines(selectFlows(tableOf(samples.slice(0, 1)), false))].join(''),
    [
      'family,protocol,source,sourcePort,destination,destinationPort,icmpType,icmpCode,confirmed,translated,related,flows',
      'ipv4,tcp,10.0.0.10,1024,198.51.100.1,443,,,true,false,false,3',
      '',
    ].join('\r\n'),
  );
});

test('JSON that was written is read as the same flows', () => {
  const written = linesOf(jsonLines(selectFlows(tableOf(samples), false)));
  const again = tableOf(written.map((line) => JSON.parse(line)));
  assert.equal(linesOf(jsonLines(selectFlows(again, false))), written);
  const schema = JSON.parse(readFileSync(new URL('../../docs/report.schema.json', import.meta.url), 'utf8'));
  for (const line of written) {
    const names = Object.keys(JSON.parse(line));
    assert.equal(
      names.filter((name) => !(name in schema.properties)),
      [],
    );
    assert.ok(
      schema.required.every((name: string) => names.includes(name)),
      line,
    );
  }
});

test('what is no flow of a report is refused, with the field', () => {
  const key = new Uint8Array(KEY_BYTES);
  const cases: [unknown, RegExp][] = [
    ['{', /no JSON object/],
    ['7', /no JSON object/],
    ['null', /no JSON object/],
    [record({ family: 'ipx' as 'ipv4' }), /^family /],
    [record({ protocol: 'tpc' }), /^protocol /],
    [record({ protocol: '256' }), /^protocol /],
    [record({ source: '2001:db8::1' }), /^source /],
    [record({ destination: '198.51.100' + '.256' }), /^destination /],
    [record({ sourcePort: 65_536 }), /^sourcePort /],
    [record({ destinationPort: 1.5 }), /^destinationPort /],
    [record({ flows: -1 }), /^flows /],
    [{ ...record({ protocol: 'icmp' }), icmpType: 256, icmpCode: 0 }, /^icmpType /],
  ];
  for (const [value, why] of cases) {
    const line = typeof value === 'string' ? value : JSON.stringify(value);
    assert.throws(
      () => readFlowLine(line, key),
      (error: Error) => error.name === 'NoFlowError' && why.test(error.message),
    );
  }
});

test('any JSON gives a flow or NoFlowError', () => {
  const key = new Uint8Array(KEY_BYTES);
  const field = fc.constantFrom(...Object.keys(record({})), 'icmpType', 'icmpCode');
  fc.assert(
    fc.property(field, fc.jsonValue(), (name, value) => {
      try {
        readFlowLine(JSON.stringify({ ...record({}), [name]: value }), key);
      } catch (error) {
        assert.is((error as Error).name, 'NoFlowError');
      }
    }),
  );
});

const anyRecord = fc
  .record({
    isIpv6: fc.boolean(),
    protocol: fc.constantFrom('tcp', 'udp', 'gre', 'sctp', '89'),
    source: fc.nat(300),
    destination: fc.nat(300),
    sourcePort: fc.constantFrom(1, 68, 1023, 1024, 50_000),
    destinationPort: fc.constantFrom(1, 256, 443),
    confirmed: fc.boolean(),
  })
  .map(({ isIpv6, source, destination, ...rest }) =>
    record({
      family: isIpv6 ? 'ipv6' : 'ipv4',
      source: isIpv6 ? `2001:db8:${(source + 1).toString(16)}::` : `10.0.${source >> 8}.${source & 255}`,
      destination: isIpv6
        ? `fd00::${(destination + 1).toString(16)}`
        : `172.16.${destination >> 8}.${destination & 255}`,
      ...rest,
    }),
  );

test('a table is the map of its keys, in the order of their numbers', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 200 }), (records) => {
      const withPorts = (protocol?: string) => protocol !== 'gre' && protocol !== '89';
      const expected = new Map<string, { confirmed: boolean; flows: number }>();
      for (const { confirmed, sourcePort, destinationPort, flows: _, ...ends } of records) {
        const ports = withPorts(ends.protocol) && {
          sourcePort: Math.min(1024, sourcePort!),
          destinationPort,
        };
        const name = JSON.stringify({ ...ends, ...ports }, Object.keys(record({})).sort());
        const known = expected.get(name) ?? { confirmed: false, flows: 0 };
        expected.set(name, { confirmed: known.confirmed || confirmed!, flows: known.flows + 1 });
      }
      const { table, flows } = selectFlows(tableOf(records), false);
      const found = [...jsonLines({ table, flows })].map((line) => JSON.parse(line));
      assert.equal(
        new Map(
          found.map(({ confirmed, flows, translated: _, related: __, ...key }) => [
            JSON.stringify(key, Object.keys(record({})).sort()),
            { confirmed, flows },
          ]),
        ),
        expected,
      );
      const classes = [...flows].map((flow) => table.flowClass(flow));
      assert.equal(
        classes,
        [...classes].sort((a, b) => a - b),
      );
      for (let i = 1; i < flows.length; i++)
        assert.ok(orderOf(table, flows[i - 1]!) < orderOf(table, flows[i]!));
    }),
  );
});

/** Everything that flows are sorted by, as one number. */
function orderOf(table: FlowTable, flow: number): bigint {
  let order = BigInt(table.flowClass(flow));
  for (let word = 0; word < 4; word++) order = (order << 32n) | BigInt(table.sourceWord(flow, word));
  for (let word = 0; word < 4; word++) order = (order << 32n) | BigInt(table.destinationWord(flow, word));
  order = (order << 16n) | BigInt(table.sourcePort(flow));
  order = (order << 16n) | BigInt(table.destinationPort(flow));
  return (order << 8n) | BigInt(table.protocol(flow));
}

test('it grows, and stops at its limit without losing what it has', () => {
  const limit = 20_000;
  const table = emptyTable(limit);
  const key = new Uint8Array(KEY_BYTES);
  readFlowLine(JSON.stringify(record({})), key);
  const add = (i: number) => {
    new DataView(key.buffer).setUint32(4, i);
    return table.add(key, 0, 1);
  };
  for (let i = 0; i < 2 * limit; i++) assert.is(add(i), i < limit);
  for (let i = 0; i < limit; i++) assert.is(add(i), false);
  assert.equal([table.size, table.refused], [limit, limit]);
  for (let flow = 0; flow < limit; flow++) assert.is(table.flows(flow), 2);
  assert.is(table.sourceText(258), '0.0.1.2');
});

test('the count of a flow stops where its field ends', () => {
  const table = tableOf([record({ flows: 0xffffffff }), record({ flows: 9 })]);
  assert.is(table.flows(0), 0xffffffff);
});

test('the eight labels, six columns wide', () => {
  assert.equal(
    FLOW_CLASSES.map(({ label }) => label).join(' '),
    'TCPv4 UDPv4 ICMPv4 IPv4 TCPv6 UDPv6 ICMPv6 IPv6',
  );
  assert.ok(FLOW_CLASSES.every(({ label }) => label.length <= 6));
});

test('the summary counts by port and by network, the most flows first', () => {
  const table = tableOf([
    ...samples,
    record({ source: '10.0.0.77', destination: '198.51.100.200', flows: 5, confirmed: true }),
  ]);
  assert.equal(linesOf(summaryLines(selectFlows(table, false))), [
    'destination port  distinct  confirmed  flows  sources  destinations',
    'TCPv4 443                4          2     10        4             2',
    'UDPv4 67                 1          0      1        1             1',
    'ICMPv4 8/0               1          0      1        1             1',
    'IPv4 89                  1          0      1        1             1',
    'TCPv6 22                 1          0      1        1             1',
    '',
    'destination network  distinct  confirmed  flows  sources  destinations',
    '198.51.100.0/24             6          2     12        5             2',
    '255.255.255.0/24            1          0      1        1             1',
    '2001:db8:0:1::/64           1          0      1        1             1',
    '',
    'source network  distinct  confirmed  flows  sources  destinations',
    '10.0.0.0/24            3          2      9        3             2',
    '192.0.2.0/24           2          0      2        1             1',
    '9.255.255.0/24         1          0      1        1             1',
    '0.0.0.0/24             1          0      1        1             1',
    '2001:db8::/64          1          0      1        1             1',
  ]);
  assert.equal(linesOf(summaryLines(selectFlows(emptyTable(), false))).length, 5);
});

test.run();
