import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, ByteSink } from '../../src/cli/byteSink.ts';
import { formatIpv4, formatIpv6 } from '../../src/nfnetlink/address.ts';
import { readU32be, readU64be } from '../../src/nfnetlink/bytes.ts';

/** What is written behind something that is there already, in a sink that has to grow. */
function written(write: (sink: ByteSink) => void): string {
  const sink = new ByteSink(4);
  sink.beginLine();
  sink.put(ascii('> '));
  write(sink);
  const text = Buffer.from(sink.bytes.subarray(0, sink.length)).toString();
  assert.ok(text.startsWith('> '));
  return text.slice(2);
}

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

test('numbers and addresses are those of the functions that make text', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), bytesOf(16), (number, bytes) => {
      assert.is(
        written((sink) => sink.number(number)),
        String(number),
      );
      assert.is(
        written((sink) => sink.u64(bytes, 8)),
        String(readU64be(bytes, 8)),
      );
      assert.is(
        written((sink) => sink.ipv4(readU32be(bytes, 0))),
        formatIpv4(bytes),
      );
      assert.is(
        written((sink) => sink.ipv6(bytes, 0)),
        formatIpv6(bytes),
      );
    }),
  );
});

test('what is escaped is the inside of a JSON string', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('a"b', '\\', '\n', '\u007f'),
  );
  fc.assert(
    fc.property(text, (value) => {
      const wellFormed = Buffer.from(value).toString();
      const inside = written((sink) => {
        const start = sink.length;
        sink.text(value);
        sink.escapeFrom(start);
      });
      assert.is(JSON.parse(`"${inside}"`), wellFormed);
    }),
  );
});

test('what is taken back is written again byte by byte', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const sink = new ByteSink(16);
  sink.beginLine();
  sink.copy(bytes, 0, 2);
  sink.copy(bytes, 0, 256);
  const line = sink.takeFrom(2);
  assert.is(sink.length, 2);
  sink.binary(line);
  sink.binary(line);
  assert.equal([...sink.bytes.subarray(0, sink.length)], [0, 1, ...bytes, ...bytes]);
});

test.run();
