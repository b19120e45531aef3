import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Exchange, type ExchangeContext } from '../../src/nfnetlink/exchange.ts';
import { Fifo } from '../../src/nfnetlink/fifo.ts';
import { InFlight, replyWindow, replyWindowDuringDump } from '../../src/nfnetlink/inFlight.ts';

const context: ExchangeContext = {
  timeout: 1,
  refusal: () => {
    throw new Error('not asked for');
  },
  nameOf: String,
  onSettled: () => {},
};

class Numbers extends Exchange {
  constructor(count: number, cost = 1) {
    super(context, 0, count, cost);
  }
  takeData(): void {}
  takeAck(): number {
    return 1;
  }
  protected conclude(): void {}
}

test('a range of sequence numbers is found by each of them, and by no other', () => {
  const inFlight = new InFlight(10);
  const [single, range, behind] = [new Numbers(1), new Numbers(3), new Numbers(1)];
  for (const exchange of [single, range, behind]) inFlight.add(exchange);
  const found = [9, 10, 11, 12, 13, 14, 15].map((seq) => inFlight.find(seq));
  assert.ok([undefined, single, range, range, range, behind, undefined].every((one, i) => one === found[i]));
  inFlight.remove(range);
  assert.is(inFlight.find(12), undefined);
  assert.is(inFlight.find(14), behind);
});

test('a range does not run over 2^32 - 1', () => {
  const inFlight = new InFlight(0xfffffffe);
  const range = new Numbers(3);
  inFlight.add(range);
  assert.is(range.firstSeq, 1);
  const exact = new Numbers(2);
  const other = new InFlight(0xfffffffe);
  other.add(exact);
  assert.is(exact.firstSeq, 0xfffffffe);
});

test('numbers that are in use after a wrap are skipped', () => {
  const inFlight = new InFlight(2);
  const old = [new Numbers(1), new Numbers(4), new Numbers(1)];
  for (const exchange of old) inFlight.add(exchange);
  assert.equal(
    old.map(({ firstSeq }) => firstSeq),
    [2, 3, 7],
  );
  const wrapped = new InFlight(0xffffffff);
  for (const exchange of old) wrapped.add(exchange);
  assert.equal(
    old.map(({ firstSeq }) => firstSeq),
    [0xffffffff, 1, 5],
  );
  wrapped.remove(old[0]!);
  const filler = new Numbers(0xffffffff - 5);
  wrapped.add(filler);
  assert.is(filler.firstSeq, 6);
  wrapped.remove(filler);
  const [range, single] = [new Numbers(2), new Numbers(1)];
  wrapped.add(range);
  assert.is(range.firstSeq, 6, 'behind the range of 4 at 1 and the single at 5');
  wrapped.add(single);
  assert.is(single.firstSeq, 8);
});

test('the room of answers is counted by cost, and given back when they come or are forgotten', () => {
  const inFlight = new InFlight(1);
  const exchange = new Numbers(10, 2);
  inFlight.add(exchange);
  inFlight.expect(exchange, 6);
  assert.is(inFlight.due, 12);
  inFlight.release(exchange, 4);
  assert.is(inFlight.due, 4);
  assert.is(exchange.outstanding, 2);
  inFlight.remove(exchange);
  assert.is(inFlight.due, 0);
  assert.is(exchange.outstanding, 0);
  assert.equal([...inFlight], []);
});

test('the window is three quarters of what the default buffer holds, and a third of that in a dump', () => {
  assert.is(replyWindow(212_992), 192);
  assert.is(replyWindowDuringDump(212_992), 66);
  assert.is(replyWindow(0), 1);
  assert.is(replyWindowDuringDump(0), 1);
});

test('a queue keeps its order over many pushes and shifts', () => {
  const queue = new Fifo<number>();
  let next = 0;
  let expected = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 100 + round; i++) queue.push(next++);
    for (let i = 0; i < 90; i++) assert.is(queue.shift(), expected++);
  }
  assert.is(queue.length, next - expected);
  assert.is(queue.peek(), expected);
  while (queue.length > 0) assert.is(queue.shift(), expected++);
  assert.is(expected, next);
  assert.is(queue.shift(), undefined);
  assert.is(queue.peek(), undefined);
});

test.run();
