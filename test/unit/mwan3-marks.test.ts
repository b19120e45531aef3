/** mwan3's mark arithmetic: a table of known marks, and an implementation in shell arithmetic beside ours. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MarkTable } from '../../src/daemon/intake.ts';
import { loadMwan3 } from '../../src/daemon/mwan3/load.ts';
import { decodeMask, markOfId, specialIds } from '../../src/daemon/mwan3/marks.ts';

const known: readonly [mask: number, marks: Readonly<Record<number, number>>, special: readonly number[]][] =
  [
    [0x3f00, { 1: 256, 2: 512, 3: 768, 4: 1024, 5: 1280, 10: 2560, 60: 15360 }, [0x3d00, 0x3e00, 0x3f00]],
    [0xff00, { 1: 256, 2: 512, 252: 64512 }, [0xfd00, 0xfe00, 0xff00]],
    [0x7e00, { 1: 512, 2: 1024, 3: 1536 }, [0x7a00, 0x7c00, 0x7e00]],
    [0xaa, { 1: 2, 2: 8, 3: 10, 4: 32, 5: 34, 10: 136 }, [162, 168, 170]],
    [0x80000001, { 1: 1, 2: 0x80000000, 3: 0x80000001 }, [1, 0x80000000, 0x80000001]],
  ];

for (const [mask, marks, special] of known) {
  test(`mask 0x${mask.toString(16)}`, () => {
    for (const [id, mark] of Object.entries(marks)) assert.is(markOfId(Number(id), mask), mark, `id ${id}`);
    const ids = specialIds(mask);
    assert.equal(
      [ids.blackhole, ids.unreachable, ids.default].map((id) => markOfId(id, mask)),
      special,
    );
    assert.is(markOfId(0, mask), 0);
  });
}

/** Numbers that look random and are the same in every run. */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

test('as shell arithmetic has it, under a dozen masks more', () => {
  const source = numbers(20);
  const next = () => source.next().value as number;
  const masks = [0x3f00, 0xff00, 0x7e00, 0xaa, 0xffffffff];
  while (masks.length < 17) {
    const mask = (next() & next()) >>> 0;
    if (specialIds(mask).blackhole > 1) masks.push(mask);
  }
  const asked = masks.flatMap((mask) => {
    const most = specialIds(mask).blackhole;
    const ids = new Set([1, 2, 3, 7, most - 1, ...Array.from({ length: 20 }, () => 1 + (next() % most))]);
    return [...ids].filter((id) => id > 0).map((id) => ({ mask, id }));
  });
  const script = fileURLToPath(new URL('../support/mwan3Marks.sh', import.meta.url));
  const input = asked.map(({ mask, id }) => `0x${mask.toString(16)} ${id}\n`).join('');
  const { stdout, stderr, status } = spawnSync('sh', [script], { input, encoding: 'utf8' });
  assert.is(status, 0, stderr);
  const said = stdout.trimEnd().split('\n');
  assert.is(said.length, asked.length);
  asked.forEach(({ mask, id }, i) => {
    const special = specialIds(mask);
    const ours = [id, special.default, special.unreachable, special.blackhole].map((each) =>
      markOfId(each, mask),
    );
    assert.is(ours.join(' '), said[i], `mask 0x${mask.toString(16)}, id ${id}`);
  });
});

test('every id has a mark of its own within the mask', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0xffffffff }), fc.nat(0xffff), fc.nat(0xffff), (mask, a, b) => {
      const { default: last } = specialIds(mask);
      const [x, y] = [a % (last + 1), b % (last + 1)];
      assert.is((markOfId(x, mask) & ~mask) >>> 0, 0);
      assert.is(markOfId(x, mask) === markOfId(y, mask), x === y);
    }),
  );
});

test("a flow that is unmarked, or has one of mwan3's own marks, is on no interface, however many there are", () => {
  const bits = fc.uniqueArray(fc.nat(31), { minLength: 3, maxLength: 8 });
  fc.assert(
    fc.property(bits, fc.nat(0xffffffff), (positions, others) => {
      const mask = positions.reduce((sum, bit) => (sum | (1 << bit)) >>> 0, 0);
      const { blackhole, unreachable, default: last } = specialIds(mask);
      const interfaces = Array.from({ length: 300 }, (_, i) => `config interface i${i}\n`).join('');
      const { plan } = loadMwan3('/', {
        read: (path) => ({ '/etc/config/mwan3': interfaces, '/var/run/mwan3/mmx_mask': String(mask) })[path],
        identify: () => 'running',
      });
      assert.is(plan.interfaces.length, Math.min(300, blackhole - 1));
      const marks = new MarkTable(plan);
      // bits outside the mask are others' business
      const markOf = (id: number) => (markOfId(id, mask) | (others & ~mask)) >>> 0;
      assert.is(marks.interfaceOf(markOf(0)), 'unmarked');
      for (const id of [blackhole, unreachable, last])
        assert.is(marks.interfaceOf(markOf(id)), 'foreign-mark');
      assert.is(marks.interfaceOf(markOf(1)), 0);
    }),
  );
});

const texts: readonly [text: string, mask: number | undefined][] = [
  ['0x3F00', 0x3f00],
  ['0x3f00\n', 0x3f00],
  [' 0XFF00 ', 0xff00],
  ['16128', 16128],
  ['0xffffffff', 0xffffffff],
  ['4294967295', 0xffffffff],
  ['4294967296', undefined],
  ['0x100000000', undefined],
  ['0', undefined],
  ['0x0', undefined],
  ['3F00', undefined],
  ['', undefined],
  ['-1', undefined],
  ['0x3f00 0xff00', undefined],
];

for (const [text, mask] of texts) {
  test(`a mask's text: ${JSON.stringify(text)}`, () => assert.is(decodeMask(text), mask));
}

test.run();
