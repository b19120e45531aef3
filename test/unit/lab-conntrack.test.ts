import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readConntrackTable } from '../../src/lab/conntrackTable.ts';

// conntrack -L -o id, conntrack v1.4.7, Linux 6.18
const listing = `\
tcp      6 431998 ESTABLISHED src=192.168.50.2 dst=203.0.113.10 sport=45364 dport=443 packets=4 bytes=241 src=203.0.113.10 dst=100.64.1.2 sport=443 dport=45364 packets=3 bytes=233 [ASSURED] mark=256 delta-time=2 use=1 id=3426117833
icmp     1 29 src=192.168.50.3 dst=203.0.113.11 type=8 code=0 id=21449 packets=1 bytes=84 src=203.0.113.11 dst=100.64.1.2 type=0 code=0 id=21449 packets=1 bytes=84 mark=256 delta-time=0 use=1 id=1400559054
unknown  2 599 src=192.168.50.1 dst=224.0.0.22 packets=1 bytes=40 [UNREPLIED] src=224.0.0.22 dst=192.168.50.1 packets=0 bytes=0 mark=16128 delta-time=1 use=1 id=201181878
conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.
`;

test('each entry is a row', () => {
  const rows = readConntrackTable(listing).map(({ line: _, ...row }) => row);
  assert.equal(rows, [
    {
      protocol: 'tcp',
      state: 'ESTABLISHED',
      source: '192.168.50.2',
      destination: '203.0.113.10',
      sourcePort: 45364,
      destinationPort: 443,
      replySource: '203.0.113.10',
      replyDestination: '100.64.1.2',
      mark: 256,
      id: 3426117833,
    },
    {
      protocol: 'icmp',
      state: undefined,
      source: '192.168.50.3',
      destination: '203.0.113.11',
      sourcePort: 0,
      destinationPort: 0,
      replySource: '203.0.113.11',
      replyDestination: '100.64.1.2',
      mark: 256,
      id: 1400559054,
    },
    {
      protocol: 'unknown',
      state: undefined,
      source: '192.168.50.1',
      destination: '224.0.0.22',
      sourcePort: 0,
      destinationPort: 0,
      replySource: '224.0.0.22',
      replyDestination: '192.168.50.1',
      mark: 16128,
      id: 201181878,
    },
  ]);
});

test.run();
