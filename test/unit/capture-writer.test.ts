import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureReader, CaptureWriter, wholeBlocks } from '../../src/capture/index.ts';
import { hostIsLittleEndian, toHex } from '../../src/nfnetlink/bytes.ts';
import { cooked, FileBuilder, joined } from '../support/captureFiles.ts';
import { loadFixtures } from '../support/fixtures.ts';

const file = new FileBuilder(hostIsLittleEndian);
const text = (value: string) => new TextEncoder().encode(value);
const origin = {
  hardware: 'arm',
  os: 'Linux 6.6',
  application: 'resteer 1',
  interfaceName: 'netfilter',
  interfaceDescription: 'a description',
};
const datagram = Uint8Array.from({ length: 21 }, (_, i) => i);

/** Everything that was written. */
function written(write: (writer: CaptureWriter) => void, capacity = 0): Uint8Array {
  const writer = new CaptureWriter(capacity);
  write(writer);
  return writer.take(new Uint8Array(0)).slice();
}

function read(bytes: Uint8Array) {
  const reader = new CaptureReader();
  const datagrams = [...reader.push(bytes)].map(({ bytes: each, ...rest }) => ({
    ...rest,
    hex: toHex(each),
  }));
  reader.end();
  return datagrams;
}

test('a file begins with its section and its interface, byte for byte', () => {
  const end = file.option(0, new Uint8Array(0));
  const section = file.fields(
    ...([
      [0x1a2b3c4d, 32],
      [1, 16],
      [0, 16],
      [-1n, 64],
    ] as const),
    file.option(2, text('arm')),
    file.option(3, text('Linux 6.6')),
    file.option(4, text('resteer 1')),
    end,
  );
  const options = [
    file.option(2, text('netfilter')),
    file.option(3, text('a description')),
    file.option(9, Uint8Array.of(9)),
    file.option(12, text('Linux 6.6')),
    end,
  ];
  const expected = joined([file.block(0x0a0d0d0a, section), file.interface(253, 0, ...options)]);
  assert.is(toHex(written((writer) => writer.begin(origin))), toHex(expected));
});

test('a datagram and what is noted of it, byte for byte', () => {
  const bytes = written((writer) => {
    writer.setTime(1_795_622_400, 123_456_789);
    writer.datagram(12, datagram, 1, 20);
    writer.datagram(0, datagram, 0, 21, { lost: 5, comment: 'five' });
  });
  const units = 1_795_622_400_123_456_789n;
  const note = [
    file.option(4, file.fields([5, 64])),
    file.option(1, text('five')),
    file.option(0, new Uint8Array(0)),
  ];
  const expected = joined([
    file.enhanced(units, cooked(datagram.subarray(1, 20))),
    file.enhanced(units, cooked(datagram, 0), { options: note }),
  ]);
  assert.is(toHex(bytes), toHex(expected));
});

test('the statistics of an interface, byte for byte', () => {
  const bytes = written((writer) => {
    writer.setTime(1, 2);
    writer.statistics({ received: 7, dropped: 8 });
  });
  const body = file.fields(
    [0, 32],
    [0, 32],
    [1_000_000_002, 32],
    file.option(4, file.fields([7, 64])),
    file.option(7, file.fields([8, 64])),
    file.option(0, new Uint8Array(0)),
  );
  assert.is(toHex(bytes), toHex(file.block(5, body)));
});

test('every captured message is read as it was written', () => {
  const messages = ['event', 'req', 'rep', 'ipset'].flatMap((name) =>
    loadFixtures(name).map(({ bytes }) => bytes),
  );
  const bytes = written((writer) => {
    writer.begin(origin);
    for (const message of messages) writer.datagram(12, message, 0, message.length);
  });
  assert.equal(
    read(bytes).map(({ hex }) => hex),
    messages.map((message) => toHex(message)),
  );
});

test('any time, datagram and note is read as it was written, however small the memory was', () => {
  const entry = fc.record({
    seconds: fc.integer({ min: 0, max: 0xffffffff }),
    nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    bytes: fc.uint8Array({ maxLength: 60 }),
    protocol: fc.nat(31),
    lost: fc.nat(1_000_000),
    comment: fc.string({ maxLength: 20 }),
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 10 }), fc.nat(300), (entries, capacity) => {
      const bytes = written((writer) => {
        writer.begin(origin);
        for (const { seconds, nanoseconds, bytes, protocol, lost, comment } of entries) {
          writer.setTime(seconds, nanoseconds);
          const note = lost > 0 ? { lost, comment } : undefined;
          writer.datagram(protocol, bytes, 0, bytes.length, note);
        }
      }, capacity);
      assert.equal(
        read(bytes).map(({ time, hex, protocol, lost, comments }) => ({
          time,
          hex,
          protocol,
          lost,
          comments,
        })),
        entries.map(({ seconds, nanoseconds, bytes, protocol, lost, comment }) => ({
          time: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
          hex: toHex(bytes),
          protocol,
          lost,
          comments: lost > 0 ? [Buffer.from(comment).toString()] : [],
        })),
      );
    }),
  );
});

test('memory that is used again leaves nothing of what was in it', () => {
  const writer = new CaptureWriter(1000);
  writer.begin(origin);
  writer.datagram(12, datagram, 0, 21, { lost: 1, comment: 'x' });
  const first = writer.take(new Uint8Array(1000).fill(0xff)).slice();
  assert.is(writer.length, 0);
  writer.begin(origin);
  writer.datagram(12, datagram, 0, 21, { lost: 1, comment: 'x' });
  assert.is(toHex(writer.take(new Uint8Array(0))), toHex(first));
});

test('how much of a piece is whole blocks, wherever the writing stopped', () => {
  const lengths = [0];
  const bytes = written((writer) => {
    for (let i = 0; i < 4; i++) {
      writer.datagram(12, datagram, 0, 4 * i + 1);
      lengths.push(writer.length);
    }
  });
  for (let length = 0; length <= bytes.length; length++) {
    const expected = Math.max(...lengths.filter((end) => end <= length));
    assert.is(wholeBlocks(bytes, length), expected, `${length}`);
  }
});

test.run();
