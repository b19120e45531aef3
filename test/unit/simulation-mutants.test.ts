// run: node=26 timeout=300
/** What is broken in a daemon on purpose is seen: the simulation could fail. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mutants } from '../simulation/mutants.ts';
import { simulate } from '../simulation/simulation.ts';

const MOST_SEEDS = 600;

for (const mutant of mutants) {
  test(`it is seen when ${mutant.name}`, async () => {
    for (let seed = 0; seed < MOST_SEEDS; seed++)
      if ((await simulate(seed, { mutant })).violations.length > 0) return;
    assert.unreachable(`not within ${MOST_SEEDS} seeds`);
  });
}

test.run();
