// Compiled, never run: a line that compiles where it must not is an unused @ts-expect-error.
import {
  attr,
  attrs,
  type Batch,
  type Codec,
  type DecodeError,
  KernelError,
  type NetlinkError,
  type NetlinkErrorKind,
  repeated,
  type Transport,
  text,
  u8,
  u16be,
  u64be,
  type ValueOf,
} from '../../src/nfnetlink/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const hold = <T extends true>(..._held: T[]): void => {};

const inner = attrs('IN', { PORT: 1 }, { port: attr(1, u16be) });
const outer = attrs(
  'OUT',
  { NUMBER: 1, NAME: 2, TOTAL: 3, INNER: 4, LIST: 5 },
  {
    number: attr(1, u8),
    name: attr(2, text()),
    total: attr(3, u64be),
    inner: attr(4, inner),
    list: repeated(attr(5, inner)),
  },
);
type Outer = ValueOf<typeof outer>;

// A table gives the type of its value; every attribute may be absent.
hold<Equal<Outer['number'], number | undefined>>();
hold<Equal<Outer['name'], string | undefined>>();
hold<Equal<Outer['total'], bigint | undefined>>();
hold<Equal<Outer['inner'], ValueOf<typeof inner> | undefined>>();
hold<Equal<Outer['list'], readonly ValueOf<typeof inner>[] | undefined>>();
hold<Equal<keyof Outer, 'number' | 'name' | 'total' | 'inner' | 'list'>>();
hold<Equal<ValueOf<Codec<bigint>>, bigint>>();
hold<Equal<ValueOf<string>, never>>();

const empty: Outer = {};
const zero: Outer = { number: 0, total: 0n, name: undefined };
void [empty, zero];

// @ts-expect-error 64 bits are bigint
outer.byteLength({ total: 1 });
// @ts-expect-error no such attribute
outer.byteLength({ numbr: 1 });
// @ts-expect-error no such attribute in the nest
outer.byteLength({ inner: { prt: 1 } });
// @ts-expect-error a repeated attribute is an array
outer.byteLength({ list: { port: 1 } });
// @ts-expect-error a row needs its number
attr(u8);

// Errors are told apart by kind.
declare const error: NetlinkError;
hold<Equal<typeof error.kind, NetlinkErrorKind>>();
if (error instanceof KernelError) hold<Equal<typeof error.errno, number>>();
// @ts-expect-error no such kind
void (error.kind === 'kernal');
declare const decodeError: DecodeError;
// @ts-expect-error an error does not change
decodeError.offset = 1;

// What arrived is read, not written to, and not kept.
declare const transport: Transport;
transport.onBatch((batch: Batch) => {
  // @ts-expect-error the batch is the transport's
  batch.count = 0;
});
// @ts-expect-error a datagram is bytes
transport.send('00');
