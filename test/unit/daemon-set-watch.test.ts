/** Which elements of a watched set are new, from one listing to the next. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SetWatch } from '../../src/daemon/setWatch.ts';
import type { SweepScope } from '../../src/daemon/sweepScope.ts';
import type { CreateOptions, Element, IpsetClient } from '../../src/ipset/index.ts';
import { formatAddress } from '../../src/nfnetlink/address.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { plan, rule, uplink } from '../support/plans.ts';

/** A set that holds what the test puts in, and the addresses that were told as new. */
async function watchedSet(elements: Element[], options: CreateOptions = {}) {
  const held = { elements };
  const client = {
    header: async () => ({ elementCount: held.elements.length, options }),
    async *listParts() {
      yield { elements: held.elements };
    },
  } as unknown as IpsetClient;
  const told: string[] = [];
  const scopes: SweepScope[] = [];
  const clock = new ManualClock();
  const watch = new SetWatch({
    plan: plan([uplink('wan')], [rule([0])]),
    client,
    clock,
    onNew(scope: SweepScope) {
      scopes.push(scope);
      if (scope.kind === 'networks')
        told.push(...scope.networks.map(({ address }) => formatAddress(address)));
    },
    onTooLarge: () => {},
  });
  await watch.start();
  /** Lets time pass, with this in the set at the next listing; what is told by then. */
  const after = async (milliseconds: number, next: Element[]) => {
    held.elements = next;
    clock.advance(milliseconds);
    await new Promise((resolve) => setImmediate(resolve));
    return told.splice(0);
  };
  return { after, scopes, watch };
}

const element = (ip: string, timeout?: number): Element => ({
  ip,
  ...(timeout !== undefined && { timeout }),
});

test('what is there at the start is not new, what comes later is, once', async () => {
  const { after } = await watchedSet([element('192.0.2.1')]);
  assert.equal(await after(600, [element('192.0.2.1')]), []);
  assert.equal(await after(600, [element('192.0.2.1'), element('192.0.2.2')]), ['192.0.2.2']);
  assert.equal(await after(600, [element('192.0.2.1'), element('192.0.2.2')]), []);
});

test('what was gone in one listing is new in the next', async () => {
  const { after } = await watchedSet([element('192.0.2.1')]);
  assert.equal(await after(600, []), []);
  assert.equal(await after(600, [element('192.0.2.1')]), ['192.0.2.1']);
});

test('an element that timed out between two listings and was added again is new', async () => {
  for (const again of [600, 2, 0]) {
    const { after } = await watchedSet([element('192.0.2.1', 1)]);
    assert.equal(await after(1100, [element('192.0.2.1', again)]), ['192.0.2.1'], String(again));
  }
});

test('an element that lives its last second, or is given more time before that, is not new', async () => {
  const { after } = await watchedSet([element('192.0.2.1', 2)]);
  assert.equal(await after(600, [element('192.0.2.1', 1)]), []);
  assert.equal(await after(600, [element('192.0.2.1', 1)]), []);
  const renewed = await watchedSet([element('192.0.2.1', 2)]);
  assert.equal(await renewed.after(600, [element('192.0.2.1', 30)]), []);
  assert.equal(await renewed.after(600, [element('192.0.2.1', 30)]), []);
  // told as its last whole second twice: rounding, not another life
  const last = await watchedSet([element('192.0.2.1', 1)]);
  assert.equal(await last.after(1000, [element('192.0.2.1', 1)]), []);
});

test('an element that is given more time in its last second may have been gone: it is new', async () => {
  const { after } = await watchedSet([element('192.0.2.1', 1)]);
  assert.equal(await after(600, [element('192.0.2.1', 30)]), ['192.0.2.1']);
});

test('exceptions are never told', async () => {
  const { after } = await watchedSet([]);
  assert.equal(await after(600, [{ ip: '192.0.2.0', cidr: 24, nomatch: true }]), []);
});

test('an address in a set with a netmask concerns its network, with a bitmask any flow', async () => {
  const prefixOf = (scope: SweepScope) =>
    scope.kind === 'networks' ? scope.networks[0]!.prefix : scope.kind;
  for (const [options, expected] of [
    [{}, 32],
    [{ netmask: 24 }, 24],
    [{ bitmask: '255.255.0.255' }, 'all'],
  ] as const) {
    const { after, scopes } = await watchedSet([], options);
    await after(600, [element('192.0.2.0')]);
    assert.equal(scopes.map(prefixOf), [expected]);
  }
});

test.run();
