/** Sweeps over a kernel of maps: what is read, how wishes merge, and that everyone who waits is answered. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Sweeper } from '../../src/daemon/sweeper.ts';
import { mergeScopes, type SweepScope, WHOLE_TABLE } from '../../src/daemon/sweepScope.ts';
import { isTableEmpty } from '../../src/daemon/tableCount.ts';
import type { DaemonEvent, SweepCause } from '../../src/daemon/tell.ts';
import { ack, done, overrun } from '../../src/testing/index.ts';
import { EngineBench, flowEntry, twoWans, WAN, WANB } from '../support/engineBench.ts';
import { network } from '../support/plans.ts';

const DUMP = 0x101;

async function open(plan = twoWans(), count?: string) {
  const bench = await EngineBench.open(plan);
  const told: DaemonEvent[] = [];
  const failures: unknown[] = [];
  const sweeper = new Sweeper({
    requester: bench.kernel.ctnetlink,
    features: { tupleFilter: true, zoneFilter: true },
    engine: () => bench.engine,
    now: () => bench.clock.now(),
    isTableEmpty: () => isTableEmpty({ read: () => count }),
    tell: (event) => told.push(event),
    onDone: () => {},
    onFailure: (error) => failures.push(error),
  });
  const sweep = (cause: SweepCause, scope: SweepScope = WHOLE_TABLE) => sweeper.request(cause, scope);
  const causes = () => told.map((event) => event.event === 'sweep' && event.cause);
  return { bench, sweeper, sweep, told, causes, failures };
}

const to = (text: string): SweepScope => ({
  kind: 'networks',
  end: 'destination',
  networks: [network(text)],
});

test('the table is read, judged, and told of', async () => {
  const { bench, sweep } = await open();
  const misplaced = bench.kernel.add(flowEntry(WANB));
  bench.kernel.add(flowEntry(WAN, { sourcePort: 2 }));
  bench.kernel.add(flowEntry(WANB, { destination: '203.0.113.99' }));
  const result = await bench.finish(sweep('periodic'));
  // the kernel left out what is on wan, where nothing can be misplaced
  assert.equal(result, { cause: 'periodic', flows: 2, misplaced: 1, ms: 0 });
  assert.not(bench.kernel.has(misplaced));
  assert.is(bench.engine.depths.pending, 0);
});

test('a table that the kernel counts as empty is not read; where the count is not known it is', async () => {
  const flowsOf = async (count: string | undefined) => {
    const { bench, sweep } = await open(twoWans(), count);
    bench.kernel.add(flowEntry(WANB));
    return (await bench.finish(sweep('start')))?.flows;
  };
  assert.equal([await flowsOf('0\n'), await flowsOf('10\n'), await flowsOf(undefined)], [0, 1, 1]);
  const read = () => {
    throw Object.assign(new Error('no'), { code: 'EACCES' });
  };
  assert.is(isTableEmpty({ read }), false);
});

test('after a start, an overrun, a shedding, a reload and a change of states what no set holds is asked again', async () => {
  for (const cause of ['start', 'overrun', 'shed', 'reload', 'interface'] as const) {
    const { bench, sweep } = await open();
    bench.kernel.add(flowEntry(WANB, { destination: '203.0.113.99' }));
    await bench.finish(sweep(cause));
    assert.is(bench.engine.depths.pending, 1, cause);
  }
});

test('one sweep runs and one waits: what is wished meanwhile becomes one', async () => {
  const { bench, sweep, causes } = await open();
  const first = sweep('periodic');
  const others = [sweep('elements', to('203.0.113.1')), sweep('overrun', WHOLE_TABLE), sweep('interface')];
  const results = await bench.finish(Promise.all([first, ...others]));
  assert.equal(causes(), ['periodic', 'overrun']);
  assert.is(new Set(results).size, 2);
});

test('thousands of wishes cost no more than one', async () => {
  const { bench, sweep, causes } = await open();
  const wishes = Array.from({ length: 20_000 }, () => sweep('shed'));
  await bench.finish(Promise.all(wishes));
  assert.is(causes().length, 2);
});

test('who waits for a sweep is answered when sweeps are stopped, before and after', async () => {
  const { bench, sweeper, sweep } = await open();
  const running = sweep('periodic');
  const waiting = sweep('request');
  sweeper.stop();
  assert.is(await waiting, undefined);
  assert.is((await bench.finish(running))?.cause, 'periodic');
  assert.is(await sweep('request'), undefined);
  assert.not(sweeper.isRunning);
});

test('a dump that fails is told of, and the next sweep runs', async () => {
  const { bench, sweep, failures } = await open();
  bench.kernel.fault = ({ type }) => (type === DUMP ? [done(12)] : undefined);
  const [failed, next] = [sweep('periodic'), sweep('request')];
  assert.is(await bench.finish(failed), undefined);
  assert.is(await bench.finish(next), undefined);
  bench.kernel.fault = () => undefined;
  assert.is((await bench.finish(sweep('request')))?.flows, 0);
  assert.is(failures.length, 2);
});

test('a set that cannot be asked leaves its flows unclassified, and another sweep is asked for', async () => {
  const { bench, sweep } = await open();
  const entry = bench.kernel.add(flowEntry(WANB));
  bench.kernel.fault = ({ type }) => (type >>> 8 === 6 ? [overrun()] : undefined);
  assert.is((await bench.finish(sweep('periodic')))?.misplaced, 0);
  assert.ok(bench.kernel.has(entry));
  bench.engine.upkeep();
  assert.is(bench.sweepsAsked, 1);
  assert.is(bench.engine.store.size, 0);
});

test('an answer that is neither hit nor miss is never acted upon', async () => {
  const { bench, sweep } = await open();
  const entry = bench.kernel.add(flowEntry(WANB));
  bench.kernel.fault = ({ type }) => (type >>> 8 === 6 ? [ack(4097)] : undefined);
  assert.is((await bench.finish(sweep('periodic')))?.misplaced, 0);
  assert.ok(bench.kernel.has(entry));
});

test('new elements are looked for alone: by the kernel for few addresses, in one pass for networks', async () => {
  const { bench, sweep } = await open();
  bench.kernel.fill('set', '203.0.113.20');
  const wanted = bench.kernel.add(flowEntry(WANB, { destination: '203.0.113.20' }));
  const other = bench.kernel.add(flowEntry(WANB, { destination: '203.0.114.10' }));
  bench.kernel.fill('set', '203.0.114.10');
  await bench.finish(sweep('elements', to('203.0.113.0/24')));
  assert.not(bench.kernel.has(wanted));
  assert.ok(bench.kernel.has(other));
  await bench.finish(sweep('elements', to('203.0.114.10')));
  assert.not(bench.kernel.has(other));
});

test('scopes merge into the smallest that holds both', () => {
  const [a, b] = [to('203.0.113.1'), to('203.0.113.2')];
  assert.equal(mergeScopes(a, b), {
    kind: 'networks',
    end: 'destination',
    networks: [network('203.0.113.1'), network('203.0.113.2')],
  });
  assert.is(mergeScopes(a, { ...b, end: 'source' } as SweepScope), WHOLE_TABLE);
  assert.is(mergeScopes(a, WHOLE_TABLE), WHOLE_TABLE);
  const interfaces = (...indices: number[]): SweepScope => ({ kind: 'interfaces', marks: indices });
  assert.equal(mergeScopes(interfaces(0, 1), interfaces(1, 2)), interfaces(0, 1, 2));
  assert.is(mergeScopes(interfaces(0), a), WHOLE_TABLE);
  let many: SweepScope = a;
  for (let i = 0; i < 256; i++) many = mergeScopes(many, b);
  assert.is(many, WHOLE_TABLE);
});

test.run();
