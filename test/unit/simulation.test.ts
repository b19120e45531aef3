/** The daemon in simulated worlds: its promises hold, and the same seed is the same story. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { simulate } from '../simulation/simulation.ts';

test('the promises hold in some hundred worlds', async () => {
  for (let seed = 20_000; seed < 20_300; seed++) {
    const { violations } = await simulate(seed);
    assert.equal(violations, [], `npm run simulate-seeds -- --seed ${seed} --trace`);
  }
});

test('a seed replays exactly', async () => {
  const hashes = new Set<number>();
  for (let seed = 0; seed < 25; seed++) {
    const told: string[] = [];
    const again: string[] = [];
    const first = await simulate(seed, { trace: (line) => void told.push(line) });
    const second = await simulate(seed, { trace: (line) => void again.push(line) });
    assert.equal(again, told, `seed ${seed}`);
    assert.equal(second, first);
    hashes.add(first.hash);
  }
  assert.is(hashes.size, 25);
});

test.run();
