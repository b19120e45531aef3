/** Sets that are missing, come back, or become others under the same name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IPSET_CMD } from '../../src/ipset/index.ts';
import { commandOf } from '../../src/nfnetlink/index.ts';
import { ack } from '../../src/testing/index.ts';
import { EngineBench, flowEntry, twoWans, WANB } from '../support/engineBench.ts';
import { plainRule, rule } from '../support/plans.ts';

const EPERM = 1;

test('a missing set holds nothing, is warned of once, and counts again when it is found', async () => {
  const bench = await EngineBench.open(twoWans(), () => {});
  await bench.learn();
  await bench.learn();
  const warnings = () => bench.events('warning').map(({ why }) => why);
  assert.equal(warnings(), ['there is no set set']);
  const entry = bench.begin(flowEntry(WANB));
  await bench.settle();
  assert.is(bench.kernel.did('test').length, 0);
  assert.ok(bench.kernel.has(entry));
  bench.kernel.addSet('set', ['203.0.113.10']);
  await bench.learn();
  await bench.pass(500);
  assert.not(bench.kernel.has(entry));
  bench.kernel.sets.delete('set');
  await bench.learn();
  assert.is(warnings().length, 2);
});

test('a sweep is asked for when a set is found, or found to be another, that flows were judged without', async () => {
  const bench = await EngineBench.open(twoWans(), () => {});
  const asked = () => {
    bench.engine.upkeep();
    return bench.sweepsAsked;
  };
  bench.kernel.addSet('set', ['203.0.113.10']);
  await bench.learn();
  assert.is(asked(), 0, 'nothing was judged');
  bench.kernel.sets.delete('set');
  await bench.learn();
  bench.begin(flowEntry(WANB));
  await bench.settle();
  bench.kernel.addSet('set', ['203.0.113.10']);
  await bench.learn();
  assert.is(asked(), 1);
  await bench.learn();
  assert.is(asked(), 1);
  bench.kernel.addSet('set', ['203.0.113.10'], 'hash:net');
  await bench.learn();
  assert.is(asked(), 2);
});

test('what is judged before a set is known is not decided by the rules behind it', async () => {
  const rules = [rule([1]), plainRule([0], { failback: 'reset' })];
  const bench = await EngineBench.open(twoWans());
  const learned = bench.engine;
  // as it is after a reload until the sets are asked
  const replaced = bench.replace({ ...twoWans(), rules });
  const entry = bench.begin(flowEntry(WANB));
  assert.is.not(bench.engine, learned);
  await replaced;
  await bench.settle();
  assert.ok(bench.kernel.has(entry));
  bench.engine.upkeep();
  assert.is(bench.sweepsAsked, 1);
});

test('a set that goes away between two looks is a miss', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.kernel.sets.delete('set');
  const entry = bench.begin(flowEntry(WANB));
  await bench.settle();
  assert.is(bench.totals.verdicts.unclassified, 1);
  assert.ok(bench.kernel.has(entry));
});

test('made again with another type, a set is asked in its new form, or is said not to fit', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.kernel.addSet('set', ['203.0.113.10'], 'hash:net');
  await bench.learn();
  const entry = bench.begin(flowEntry(WANB));
  await bench.settle();
  assert.not(bench.kernel.has(entry));
  bench.kernel.addSet('set', ['203.0.113.10,tcp:443'], 'hash:ip,port');
  await bench.learn();
  assert.match(bench.events('warning')[0]?.why ?? '', /has 2 dimensions, the rule matches dst/);
  const left = bench.begin(flowEntry(WANB, { sourcePort: 2 }));
  await bench.settle();
  assert.ok(bench.kernel.has(left));
  bench.kernel.addSet('set', ['2001:db8::1'], 'hash:ip', 10);
  await bench.learn();
  bench.begin(flowEntry(WANB, { sourcePort: 3 }));
  await bench.settle();
  assert.is(bench.kernel.did('test').length, 1);
});

test('a kernel that cannot be asked leaves what was known in force', async () => {
  const bench = await EngineBench.open(twoWans());
  bench.kernel.fault = ({ type }) => (commandOf(type) === IPSET_CMD.HEADER ? [ack(EPERM)] : undefined);
  const failed = await bench.finish(
    bench.engine.ruleSets.refresh().then(
      () => undefined,
      (error) => error,
    ),
  );
  assert.instance(failed, Error);
  assert.is(bench.engine.ruleSets.state(0).kind, 'usable');
});

test.run();
