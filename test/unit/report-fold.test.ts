/** Addresses as the fewest prefixes: against every possible choice of prefixes, and at size. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatAddress, parseAddress } from '../../src/nfnetlink/address.ts';
import { foldAddresses, MOST_SLACK } from '../../src/report/fold.ts';
import type { AddressList, Prefix } from '../../src/report/prefixTree.ts';

const wordsOf = (text: string) => {
  const bytes = parseAddress(text)!;
  return Array.from({ length: bytes.length / 4 }, (_, i) => new DataView(bytes.buffer).getUint32(4 * i));
};

function listOf(...texts: string[]): AddressList {
  const all = texts.map(wordsOf);
  return { words: Uint32Array.from(all.flat()), width: all[0]?.length === 4 ? 4 : 1 };
}

function textOf({ words, length }: Prefix): string {
  const bytes = new Uint8Array(4 * words.length);
  for (const [i, word] of words.entries()) new DataView(bytes.buffer).setUint32(4 * i, word);
  return `${formatAddress(bytes)}/${length}`;
}

const fold = (slack: number, ...lists: string[][]) => {
  const { lists: folded, added } = foldAddresses(
    lists.map((texts) => listOf(...texts)),
    slack,
  );
  return { lists: folded.map((prefixes) => prefixes.map(textOf)), added };
};

/** Hosts of a tiny network, 0 to 7 or 0 to 15, in a list of the real kind. */
const hostList = (hosts: readonly number[], width: 1 | 4 = 1): AddressList => {
  const base = width === 1 ? [] : [0x20010db8, 0, 0];
  const low = (host: number) => (width === 1 ? 0xc0000200 : 0xfffffff0) + host;
  return { words: Uint32Array.from(hosts.flatMap((host) => [...base, low(host)])), width };
};

/** Every network within so many hosts, as masks of the hosts that it holds. */
function networksOf(hosts: number): number[] {
  const networks: number[] = [];
  for (let size = 1; size <= hosts; size *= 2)
    for (let first = 0; first < hosts; first += size) networks.push(((2 ** size - 1) << first) >>> 0);
  return networks;
}

const bitsOf = (mask: number) => {
  let bits = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++;
  return bits;
};

/** Of every choice of networks, for each set of hosts: the least number of networks by how many are added. */
function everyCover(hosts: number): (wanted: number) => Map<number, number> {
  const networks = networksOf(hosts);
  const fewest = new Map<number, number>();
  for (let choice = 0; choice < 2 ** networks.length; choice++) {
    let covered = 0;
    for (let i = 0; i < networks.length; i++) if ((choice >>> i) & 1) covered |= networks[i]!;
    fewest.set(covered, Math.min(fewest.get(covered) ?? Infinity, bitsOf(choice)));
  }
  return (wanted) => {
    const byAdded = new Map<number, number>();
    for (const [covered, count] of fewest) {
      if ((covered & wanted) !== wanted) continue;
      const added = bitsOf(covered) - bitsOf(wanted);
      byAdded.set(added, Math.min(byAdded.get(added) ?? Infinity, count));
    }
    return byAdded;
  };
}

const hostsIn = (mask: number, hosts: number) =>
  Array.from({ length: hosts }, (_, host) => host).filter((host) => (mask >>> host) & 1);

const covers = everyCover(8);

test('every set of hosts of a /29, with every slack: as few as any choice of networks, and the least added', () => {
  for (let wanted = 0; wanted < 256; wanted++) {
    const byAdded = covers(wanted);
    for (let slack = 0; slack <= 7; slack++) {
      const allowed = [...byAdded].filter(([added]) => added <= slack);
      const count = Math.min(...allowed.map(([, each]) => each));
      const least = Math.min(...allowed.filter(([, each]) => each === count).map(([added]) => added));
      for (const width of [1, 4] as const) {
        const { lists, added } = foldAddresses([hostList(hostsIn(wanted, 8), width)], slack);
        assert.equal([lists[0]!.length, added], [count, least], `${wanted.toString(2)}, slack ${slack}`);
      }
    }
  }
});

test('two lists share the slack as well as any division of it', () => {
  const mask = fc.nat(255);
  fc.assert(
    fc.property(mask, mask, fc.nat(10), (one, other, slack) => {
      let best: [number, number] = [Infinity, Infinity];
      for (const [addedOne, countOne] of covers(one)) {
        for (const [addedOther, countOther] of covers(other)) {
          const [count, added] = [countOne + countOther, addedOne + addedOther];
          if (added > slack || count > best[0] || (count === best[0] && added >= best[1])) continue;
          best = [count, added];
        }
      }
      const { lists, added } = foldAddresses([hostList(hostsIn(one, 8)), hostList(hostsIn(other, 8))], slack);
      assert.equal([lists[0]!.length + lists[1]!.length, added], best);
    }),
  );
});

/** The same question answered without any economy: all ways to cover a network, as pairs of count and added. */
function allWays(hosts: readonly number[], first: number, size: number): [number, number][] {
  const inside = hosts.filter((host) => host >= first && host < first + size);
  if (inside.length === 0) return [[0, 0]];
  const whole: [number, number] = [1, size - inside.length];
  if (size === 1) return [whole];
  const half = size / 2;
  const ways = allWays(inside, first, half).flatMap(([count, added]) =>
    allWays(inside, first + half, half).map(([c, a]): [number, number] => [count + c, added + a]),
  );
  return [whole, ...new Map(ways.map((way) => [way.join(), way])).values()];
}

const spread = fc.uniqueArray(fc.nat(127), { maxLength: 24 }).map((hosts) => hosts.sort((a, b) => a - b));

test('larger sets: what is folded holds every address, nothing twice, and is minimal', () => {
  fc.assert(
    fc.property(spread, fc.nat(40), (hosts, slack) => {
      const { lists, added } = foldAddresses([hostList(hosts)], slack);
      const held = lists[0]!.flatMap(({ words, length }) =>
        Array.from({ length: 2 ** (32 - length) }, (_, i) => words[0]! + i),
      );
      assert.equal(
        held,
        [...new Set(held)].sort((a, b) => a - b),
        'in order, none twice',
      );
      assert.is(held.length - hosts.length, added);
      assert.ok(hosts.every((host) => held.includes(0xc0000200 + host)));
      const ways = allWays(hosts, 0, 128).filter(([, more]) => more <= slack);
      const best = ways.sort(([a, b], [c, d]) => a - c || b - d)[0]!;
      assert.equal([lists[0]!.length, added], best);
    }),
  );
});

test('as text', () => {
  const clients = ['192.168.1.0', '192.168.1.1', '192.168.1.2', '192.168.1.3', '192.168.1.6'];
  assert.equal(fold(0, clients), { lists: [['192.168.1.0/30', '192.168.1.6/32']], added: 0 });
  assert.equal(fold(2, clients).lists, [['192.168.1.0/30', '192.168.1.6/32']]);
  assert.equal(fold(3, clients), { lists: [['192.168.1.0/29']], added: 3 });
  assert.equal(fold(0, ['0.0.0.0', '255.255.255.255']).lists, [['0.0.0.0/32', '255.255.255.255/32']]);
  assert.equal(fold(MOST_SLACK, ['0.0.0.0', '255.255.255.255']).added, 0);
  assert.equal(fold(MOST_SLACK, ['10.0.0.0', '10.0.255.255']), { lists: [['10.0.0.0/16']], added: 65_534 });
  const v6 = ['2001:db8::', '2001:db8::1', '2001:db8:1::', 'fe80::1', 'fe80::3'];
  assert.equal(fold(2, v6), { lists: [['2001:db8::/127', '2001:db8:1::/128', 'fe80::/126']], added: 2 });
  assert.equal(fold(9, [], ['::1']), { lists: [[], ['::1/128']], added: 0 });
});

test('the slack goes where it saves most', () => {
  // one missing address of a /29 saves two prefixes, six of another save one
  const nearlyWhole = [0, 1, 2, 3, 4, 5, 7].map((host) => `192.0.2.${host}`);
  const nearlyNothing = ['198.51.100.0', '198.51.100.7'];
  assert.equal(fold(6, nearlyNothing, nearlyWhole), {
    lists: [['198.51.100.0/32', '198.51.100.7/32'], ['192.0.2.0/29']],
    added: 1,
  });
  assert.equal(fold(7, nearlyNothing, nearlyWhole), {
    lists: [['198.51.100.0/29'], ['192.0.2.0/29']],
    added: 7,
  });
});

test('50,000 addresses with the largest slack stay within it', () => {
  const words = new Set<number>();
  for (let seed = 1; words.size < 50_000; seed++)
    words.add(0x0a000000 + (Math.imul(seed, 2654435761) >>> 11));
  const list: AddressList = { words: Uint32Array.from(words).sort(), width: 1 };
  const blocks = foldAddresses([list], 0).lists[0]!.length;
  const { lists, added } = foldAddresses([list], MOST_SLACK);
  assert.ok(added <= MOST_SLACK && lists[0]!.length < blocks, `${blocks}: ${lists[0]!.length}, ${added}`);
});

test.run();
