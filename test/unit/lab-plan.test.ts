import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { markOf, planLab, rolesOf } from '../../src/lab/plan.ts';

const marks: [mask: number, id: number, mark: number][] = [
  [0x3f00, 1, 0x100],
  [0x3f00, 2, 0x200],
  [0x3f00, 60, 0x3c00],
  [0x3f00, 63, 0x3f00],
  [0xff00, 252, 0xfc00],
  [0x7e00, 1, 0x200],
  [0xaa, 1, 2],
  [0xaa, 2, 8],
  [0xaa, 3, 10],
  [0xaa, 10, 136],
  [0x80000000, 1, 0x80000000],
];

test('the bits of an id are spread over the mask', () => {
  for (const [mask, id, mark] of marks) assert.is(markOf(id, mask), mark, `${id} in ${mask.toString(16)}`);
  assert.throws(() => markOf(4, 0x300), 'no room for interface id 4');
});

test('by default: two WANs, masqueraded, app_1 for the second', () => {
  const plan = planLab('x');
  assert.equal(
    plan.wans.map(({ id, name, mark }) => ({ id, name, mark })),
    [
      { id: 1, name: 'wan', mark: 0x100 },
      { id: 2, name: 'wanb', mark: 0x200 },
    ],
  );
  assert.equal(plan.wans[1]!.routerAddress, { ipv4: '100.64.2.2', ipv6: 'fd00:64:2::2' });
  assert.equal(plan.wans[1]!.network, { ipv4: '100.64.2.0/24', ipv6: 'fd00:64:2::/64' });
  assert.equal(plan.lan.clients, [
    { ipv4: '192.168.50.2', ipv6: 'fd00:50::2' },
    { ipv4: '192.168.50.3', ipv6: 'fd00:50::3' },
  ]);
  assert.is(plan.masquerade, true);
  assert.equal([plan.defaultMark, plan.unreachableMark, plan.blackholeMark], [0x3f00, 0x3e00, 0x3d00]);
  assert.equal(
    plan.rules.map(({ set, wan }) => ({ set, wan })),
    [
      { set: 'app_1.v4', wan: 2 },
      { set: 'app_1.v6', wan: 2 },
    ],
  );
});

test('each role has a namespace', () => {
  assert.equal(rolesOf(planLab('x', { wans: 3 })), [
    'router',
    'server',
    'client1',
    'client2',
    'isp1',
    'isp2',
    'isp3',
  ]);
});

test('what cannot be is refused', () => {
  for (const wans of [0, -1, 1.5, 27]) assert.throws(() => planLab('x', { wans }), 'wans:');
  // A mask of three bits has ids 1 to 4; 5 to 7 are the specials.
  assert.is(planLab('x', { wans: 4, markMask: 7 }).defaultMark, 7);
  assert.throws(() => planLab('x', { wans: 5, markMask: 7 }), 'not from 1 to 4');
  assert.throws(() => planLab('x', { defaultWan: 3 }), 'no WAN 3');
  assert.throws(() => planLab('x', { rules: [{ family: 'ipv4', wan: 3 }] }), 'no WAN 3');
});

test('one WAN has no rule for a second', () => {
  assert.equal(planLab('x', { wans: 1 }).rules, []);
});

test.run();
