/** The reset budgets: of the whole machine and of each client. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ResetBudget } from '../../src/daemon/budget.ts';

/** How many of so many tries at one moment are granted. */
function granted(budget: ResetBudget, client: string, tries: number, now: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (budget.take(client, now) === 'granted') count++;
  return count;
}

test('a second holds as many as the budget says, and fills again as time goes', () => {
  const budget = new ResetBudget(10, 100, 0);
  assert.is(granted(budget, 'a', 50, 0), 10);
  assert.is(budget.take('b', 0), 'budget');
  assert.is(granted(budget, 'a', 50, 99), 0);
  assert.is(granted(budget, 'a', 50, 100), 1);
  assert.is(granted(budget, 'a', 50, 600), 5);
  assert.is(granted(budget, 'a', 50, 100_000), 10);
});

test('one client spends its own budget and no other', () => {
  const budget = new ResetBudget(100, 5, 0);
  assert.is(granted(budget, 'a', 9, 0), 5);
  assert.is(budget.take('a', 0), 'client-budget');
  assert.is(granted(budget, 'b', 9, 0), 5);
  assert.is(granted(budget, 'a', 9, 400), 2);
});

test('a refusal takes nothing from either budget', () => {
  const budget = new ResetBudget(10, 5, 0);
  assert.is(granted(budget, 'a', 100, 0), 5);
  assert.is(granted(budget, 'b', 100, 0), 5);
  assert.is(granted(budget, 'c', 100, 0), 0);
  // of c's own five none is gone
  assert.is(granted(budget, 'c', 100, 500), 5);
});

test('Infinity is no limit, at one moment as over time', () => {
  const free = new ResetBudget(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0);
  assert.is(granted(free, 'a', 1000, 0), 1000);
  assert.is(granted(free, 'a', 1000, 5000), 1000);
  assert.is(granted(new ResetBudget(Number.POSITIVE_INFINITY, 5, 0), 'a', 100, 0), 5);
  assert.is(granted(new ResetBudget(7, Number.POSITIVE_INFINITY, 0), 'a', 100, 0), 7);
});

test('a client cannot gain by the turn of a second, nor by a pause', () => {
  for (const step of [1, 7, 250, 999, 1000, 1001, 1999, 2000, 3000]) {
    const budget = new ResetBudget(1_000_000, 3, 0);
    let count = 0;
    for (let now = 0; now <= 12_000; now += step) count += granted(budget, 'a', 10, now);
    assert.ok(count <= 3 + 12 * 3, `${count} with steps of ${step} ms`);
    assert.ok(count >= 3, `${count} with steps of ${step} ms`);
  }
});

test.run();
