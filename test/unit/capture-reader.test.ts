import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PCAP_MAGIC } from '../../src/capture/constants.ts';
import {
  type CapturedDatagram,
  CaptureError,
  CaptureReader,
  isCapture,
  isOtherByteOrder,
  readCapture,
} from '../../src/capture/index.ts';
import { toHex } from '../../src/nfnetlink/bytes.ts';
import { cooked, type Field, FileBuilder, joined } from '../support/captureFiles.ts';
import { fixture } from '../support/fixtures.ts';

const little = new FileBuilder(true);
const big = new FileBuilder(false);

/** A datagram with its bytes as text, which outlives the next. */
type Read = Omit<CapturedDatagram, 'bytes'> & { readonly hex: string };

interface Outcome {
  readonly read: Read[];
  readonly reader: CaptureReader;
  readonly error?: CaptureError;
}

/** Reads a file in pieces of so many bytes; any throw but a CaptureError is the test's failure. */
function readAll(file: Uint8Array, pieceLength = file.length): Outcome {
  const reader = new CaptureReader();
  const read: Read[] = [];
  // the pieces come in one buffer, as from a file read into the same memory
  const piece = new Uint8Array(Math.max(pieceLength, 1));
  try {
    for (let at = 0; at < file.length; at += pieceLength) {
      const part = file.subarray(at, at + pieceLength);
      piece.set(part);
      for (const { bytes, ...rest } of reader.push(piece.subarray(0, part.length)))
        read.push({ ...rest, hex: toHex(bytes) });
      piece.fill(0xee);
    }
    reader.end();
  } catch (error) {
    assert.instance(error, CaptureError);
    return { read, reader, error: error as CaptureError };
  }
  return { read, reader };
}

function readWell(file: Uint8Array): Read[] {
  const { read, reader, error } = readAll(file);
  assert.is(error, undefined);
  assert.is(reader.totals.cut, undefined);
  return read;
}

const captured = (name: string) => readFileSync(new URL(`../fixtures/captures/${name}`, import.meta.url));
const names = ['event-new-icmp', 'event-exp-new-nat', 'event-update-labels', 'event-destroy-udp6'];
const datagrams = names.map((name) => fixture('event', name).bytes);
const FIRST_NS = 1795622400_123456780n;

for (const [name, unit] of [
  ['text2pcap.pcapng', 1n],
  ['text2pcap-ns.pcap', 1n],
  ['text2pcap.pcap', 1000n],
  ['editcap-comment.pcapng', 1n],
] as const) {
  test(`${name}: what Wireshark's programs have written`, () => {
    const read = readWell(captured(name));
    assert.equal(
      read.map(({ hex }) => hex),
      datagrams.map((bytes) => toHex(bytes)),
    );
    const times = names.map((_, i) => FIRST_NS + BigInt(i) * 1_000_000_001n);
    assert.equal(
      read.map(({ time }) => time),
      times.map((time) => (time / unit) * unit),
    );
    for (const { protocol, originalLength, hex, lost } of read)
      assert.equal([protocol, originalLength, lost], [12, hex.length / 2, 0]);
    const comments = read.map((each) => each.comments);
    assert.equal(comments, name.includes('comment') ? [[], ['a note'], [], []] : [[], [], [], []]);
  });
}

test('editcap-cut.pcapng: packets that the capture cut keep their length', () => {
  const read = readWell(captured('editcap-cut.pcapng'));
  assert.equal(
    read.map(({ hex }) => hex),
    datagrams.map((bytes) => toHex(bytes, 0, 84)),
  );
  assert.equal(
    read.map(({ originalLength }) => originalLength),
    datagrams.map(({ length }) => length),
  );
});

const hello = Uint8Array.from([16, 0, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
const other = Uint8Array.from([...hello, 1, 2, 3]);

for (const file of [little, big]) {
  const order = file.isLittle ? 'little-endian' : 'big-endian';

  test(`pcap, ${order}: both units of time, a cut packet, the netlink family`, () => {
    for (const [magic, nanoseconds] of [
      [PCAP_MAGIC.MICROSECONDS, 999_999_000n],
      [PCAP_MAGIC.NANOSECONDS, 999_999n],
    ] as const) {
      const bytes = joined([
        file.pcapHeader(magic),
        file.pcapRecord(0xffffffff, 999_999, cooked(hello)),
        file.pcapRecord(0, 0, cooked(other, 0), 5000),
      ]);
      assert.ok(isCapture(bytes));
      const [first, second, ...rest] = readWell(bytes);
      assert.equal(first, {
        ...{ time: 0xffffffffn * 1_000_000_000n + nanoseconds, protocol: 12 },
        ...{ hex: toHex(hello), originalLength: 16, lost: 0, comments: [], offset: 24 },
      });
      assert.equal([second!.time, second!.protocol], [0n, 0]);
      assert.equal([second!.hex, second!.originalLength], [toHex(other), 4984]);
      assert.equal(rest, []);
    }
  });

  test(`pcapng, ${order}: every kind of packet block, with its options`, () => {
    const comment = (text: string) => file.option(1, new TextEncoder().encode(text));
    const bytes = joined([
      file.section(),
      file.interface(),
      file.enhanced(1_500_000n, cooked(other), {
        options: [
          comment('naïve'),
          file.option(4, file.fields([7, 64])),
          file.option(2988, new Uint8Array(5)),
          comment('two'),
          file.option(0, new Uint8Array(0)),
          file.fields([0xffffffff, 32]),
        ],
      }),
      file.block(0x0bad, new Uint8Array(20)),
      file.obsolete(0x1_0000_0001n, cooked(hello), 3),
      file.obsolete(0n, cooked(hello), 0xffff),
      file.simple(cooked(other)),
      file.block(5, new Uint8Array(12)),
    ]);
    const { read, reader } = readAll(bytes);
    assert.equal(
      read.map(({ hex }) => hex),
      [other, hello, hello, other].map((each) => toHex(each)),
    );
    assert.equal(
      read.map(({ time }) => time),
      [1_500_000_000n, 0x1_0000_0001n * 1000n, 0n, undefined],
    );
    assert.equal(
      read.map(({ lost }) => lost),
      [7, 3, 0, 0],
    );
    assert.equal(read[0]!.comments, ['naïve', 'two']);
    assert.equal(reader.totals, { datagrams: 4, lost: 10, others: 0, cut: undefined });
  });

  test(`pcapng, ${order}: units and origins of time, each interface its own`, () => {
    const unit = (byte: number) => file.option(9, Uint8Array.of(byte));
    const origin = (seconds: bigint) => file.option(14, file.fields([seconds, 64]));
    const cases: [options: Uint8Array[], units: bigint, nanoseconds: bigint][] = [
      [[], 2n, 2000n],
      [[unit(0)], 2n, 2_000_000_000n],
      [[unit(9)], 2n, 2n],
      [[unit(12)], 2999n, 2n],
      [[unit(0x80 | 10)], 1536n, 1_500_000_000n],
      [[unit(127)], 0xffff_ffff_ffff_ffffn, 0n],
      [[unit(9), origin(-1n)], 5n, -999_999_995n],
      [[origin(1_700_000_000n), unit(9)], 5n, 1_700_000_000_000_000_005n],
    ];
    const bytes = joined([
      file.section(),
      ...cases.map(([options]) => file.interface(253, 0, ...options)),
      ...cases.map(([, units], interfaceId) => file.enhanced(units, cooked(hello), { interfaceId })),
    ]);
    assert.equal(
      readWell(bytes).map(({ time }) => time),
      cases.map(([, , nanoseconds]) => nanoseconds),
    );
  });
}

test('sections: each has its byte order and its interfaces', () => {
  const bytes = joined([
    little.section(),
    little.interface(),
    little.interface(253, 0, little.option(9, Uint8Array.of(9))),
    little.enhanced(1n, cooked(hello), { interfaceId: 1 }),
    big.section(),
    big.interface(253, 0, big.option(9, Uint8Array.of(3))),
    big.enhanced(1n, cooked(other)),
    little.section(),
    little.interface(),
  ]);
  assert.equal(
    readWell(bytes).map(({ time }) => time),
    [1n, 1_000_000n],
  );
  const forgotten = readAll(joined([bytes, big.section(), big.enhanced(1n, cooked(hello))]));
  assert.is(forgotten.read.length, 2);
  assert.match(
    forgotten.error!.message,
    /^a packet of interface 0, which its section does not describe \(byte \d+\)$/,
  );
});

test('a simple packet is as long as its interface and its block allow', () => {
  const lengths = (longest: number, original: number) =>
    readWell(
      joined([little.section(), little.interface(253, longest), little.simple(cooked(other), original)]),
    ).map(({ hex, originalLength }) => [hex.length / 2, originalLength]);
  assert.equal(lengths(0, 16 + 19), [[19, 19]]);
  assert.equal(lengths(24, 16 + 19), [[8, 19]]);
  // cut by the writer, whose padding counts as the packet's
  assert.equal(lengths(0, 1000), [[20, 984]]);
});

test('packets of other link types are passed over and counted; a file of nothing else is refused', () => {
  const ethernet = little.enhanced(1n, new Uint8Array(60), { interfaceId: 1 });
  const mixed = joined([
    little.section(),
    little.interface(),
    little.interface(1),
    ethernet,
    little.enhanced(2n, cooked(hello)),
    ethernet,
  ]);
  const { read, reader } = readAll(mixed);
  assert.is(read.length, 1);
  assert.is(reader.totals.others, 2);
  const none = readAll(joined([little.section(), little.interface(1), little.simple(new Uint8Array(60))]));
  assert.is(none.error!.message, 'holds packets of link type 1, and none of 253 (netlink) (byte 0)');
  const pcap = readAll(joined([big.pcapHeader(PCAP_MAGIC.MICROSECONDS, 113), big.pcapRecord(0, 0, hello)]));
  assert.is(pcap.error!.message, 'the packets are of link type 113, not 253 (netlink) (byte 20)');
});

test('a packet without the cooked header of netlink is none', () => {
  const wrong = cooked(hello);
  wrong[3] = 1;
  const { error, reader } = readAll(
    joined([
      little.pcapHeader(PCAP_MAGIC.NANOSECONDS),
      little.pcapRecord(0, 0, wrong),
      little.pcapRecord(0, 0, new Uint8Array(15)),
    ]),
  );
  assert.is(reader.totals.others, 2);
  assert.is(
    error!.message,
    'holds packets that are no netlink datagrams, and none of 253 (netlink) (byte 0)',
  );
});

test('a file of no packets is no fault', () => {
  for (const bytes of [
    little.section(),
    big.pcapHeader(PCAP_MAGIC.NANOSECONDS),
    joined([big.section(), big.interface()]),
  ])
    assert.equal(readWell(bytes), []);
});

const good = joined([little.section(), little.interface()]);
const at = good.length;
const record = (...fields: Field[]) => joined([good, little.fields(...fields)]);

const faults: [name: string, file: Uint8Array, message: string][] = [
  ['nothing', new Uint8Array(0), 'neither pcap nor pcapng: the file has 0 bytes (byte 0)'],
  ['three bytes', Uint8Array.of(0xd4, 0xc3, 0xb2), 'neither pcap nor pcapng: the file has 3 bytes (byte 0)'],
  ['text', new TextEncoder().encode('14000000 01010103'), 'neither pcap nor pcapng (byte 0)'],
  ['pcap 1', little.pcapHeader(PCAP_MAGIC.NANOSECONDS, 253, 1), 'pcap version 1, where 2 is known (byte 4)'],
  ['pcapng 2', big.section(2), 'pcapng version 2, where 1 is known (byte 12)'],
  [
    'no byte order',
    little.fields([0x0a0d0d0a, 32], [28, 32], [0x11111111, 32]),
    'a section header without the byte order magic (byte 8)',
  ],
  [
    'a record of 2 GB',
    joined([big.pcapHeader(PCAP_MAGIC.NANOSECONDS), big.fields([0, 64], [0x7fffffff, 32], [0, 32])]),
    'a record of 2147483663 bytes, where 16777216 are the most (byte 24)',
  ],
  [
    'a block of 4 GB',
    record([77, 32], [0xfffffffc, 32], [0, 32]),
    `a block of type 77 of 4294967292 bytes, where 16777216 are the most (byte ${at})`,
  ],
  [
    'a short block',
    record([77, 32], [8, 32], [0, 32]),
    `a block of type 77 of 8 bytes, where 12 are the least (byte ${at})`,
  ],
  ['no multiple', record([77, 32], [13, 32], [0, 32]), `a block of 13 bytes, no multiple of 4 (byte ${at})`],
  [
    'a short packet block',
    record([6, 32], [28, 32], new Uint8Array(16), [28, 32]),
    `a block of type 6 of 28 bytes, where 32 are the least (byte ${at})`,
  ],
  [
    'two lengths',
    record([77, 32], [16, 32], [0, 32], [12, 32]),
    `a block of 16 bytes that at its end is said to have 12 (byte ${at})`,
  ],
  [
    'a packet over its block',
    record([6, 32], [36, 32], [0, 64], [0, 32], [5, 32], [5, 32], [0, 32], [36, 32]),
    `a packet of 5 bytes in a block with room for 4 (byte ${at})`,
  ],
  [
    'an option over its block',
    joined([
      good,
      little.enhanced(0n, cooked(hello), { options: [little.fields([1, 16], [5, 16], [0, 32])] }),
    ]),
    `an option of 5 bytes where 4 are left (byte ${at + 28 + 32})`,
  ],
  [
    'a unit of two bytes',
    joined([little.section(), little.interface(253, 0, little.option(9, Uint8Array.of(9, 9)))]),
    'if_tsresol of 2 bytes, not 1 (byte 48)',
  ],
];

for (const [name, file, message] of faults) {
  test(`refused: ${name}`, () => {
    assert.is(readAll(file).error?.message, message);
    assert.is(readAll(file, 1).error?.message, message);
  });
}

test('more interfaces than memory is given for are refused', () => {
  const many = joined([little.section(), ...Array.from({ length: 4097 }, () => little.interface())]);
  assert.match(readAll(many).error!.message, /^more than 4096 interfaces in a section/);
});

const several = [
  captured('text2pcap.pcapng'),
  captured('text2pcap.pcap'),
  joined([big.section(), big.interface(), big.simple(cooked(other)), big.enhanced(9n, cooked(hello))]),
];

test('pieces of any size give the same', () => {
  for (const file of several) {
    const whole = readAll(file);
    for (const size of [1, 2, 3, 5, 11, 12, 13, 64, 200, file.length - 1]) {
      const inPieces = readAll(file, size);
      assert.equal(inPieces.read, whole.read, `${size}`);
      assert.equal(inPieces.reader.totals, whole.reader.totals);
    }
  }
});

test('a file cut off anywhere gives what is whole, and says where it ends', () => {
  for (const file of several) {
    const whole = readAll(file).read;
    const ends = [...whole.slice(1).map(({ offset }) => offset), file.length];
    for (let length = 0; length < file.length; length++) {
      const { read, reader, error } = readAll(file.subarray(0, length), 100);
      if (length < 4) {
        assert.match(error!.message, /^neither pcap nor pcapng: the file has \d bytes/);
        continue;
      }
      assert.is(error, undefined, `${length}`);
      assert.equal(read, whole.slice(0, ends.filter((end) => end <= length).length), `${length}`);
      const { cut } = reader.totals;
      if (!cut) continue;
      assert.is(
        cut.message,
        `the file ends within a block, of which ${length - cut.offset} bytes are there (byte ${cut.offset})`,
      );
      assert.ok(cut.offset < length);
    }
  }
});

test('bytes stay good until the next datagram is asked for, also of an async source', async () => {
  const hexes: string[] = [];
  const pieces = async function* () {
    for (const byte of captured('text2pcap.pcapng')) yield Uint8Array.of(byte);
  };
  for await (const { bytes } of readCapture(pieces())) {
    await new Promise((resolve) => setImmediate(resolve));
    hexes.push(toHex(bytes));
  }
  assert.equal(
    hexes,
    datagrams.map((bytes) => toHex(bytes)),
  );
});

test('the byte order of the machine that captured shows in the length of the first message', () => {
  const native = fixture('event', 'event-new-icmp').bytes;
  assert.not(isOtherByteOrder(native));
  const swapped = native.slice();
  swapped.set([...native.subarray(0, 4)].reverse());
  assert.ok(isOtherByteOrder(swapped));
  for (const short of [new Uint8Array(0), Uint8Array.of(1, 2, 3)]) assert.not(isOtherByteOrder(short));
});

test('whatever is written is read again, in pieces of any size', () => {
  const packet = fc.record({
    units: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
    datagram: fc.uint8Array({ maxLength: 70 }),
    protocol: fc.nat(0xffff),
    note: fc.string({ maxLength: 9 }),
    lost: fc.nat(0xffff),
  });
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(packet, { maxLength: 8 }),
      fc.integer({ min: 1, max: 90 }),
      (isLittle, packets, size) => {
        const file = new FileBuilder(isLittle);
        const blocks = packets.map(({ units, datagram, protocol, note, lost }) =>
          file.enhanced(units, cooked(datagram, protocol), {
            options: [
              file.option(1, new TextEncoder().encode(note)),
              file.option(4, file.fields([lost, 64])),
            ],
          }),
        );
        const bytes = joined([
          file.section(),
          file.interface(253, 0, file.option(9, Uint8Array.of(9))),
          ...blocks,
        ]);
        const { read, error } = readAll(bytes, size);
        assert.is(error, undefined);
        assert.equal(
          read.map(({ time, hex, protocol, comments, lost }) => [time, hex, protocol, comments, lost]),
          packets.map(({ units, datagram, protocol, note, lost }) => [
            ...[units, toHex(datagram), protocol],
            ...[[new TextDecoder().decode(new TextEncoder().encode(note))], lost],
          ]),
        );
      },
    ),
  );
});

test.run();
