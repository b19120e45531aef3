import { type Codec, DecodeError, EncodeError, type NestCodec, type ValueOf } from '../nfnetlink/index.ts';

/** A C structure without padding between its fields. */
export interface StructCodec<T> extends Codec<T> {
  readonly size: number;
}

type Fields = Readonly<Record<string, Codec<number>>>;
type StructValue<F extends Fields> = { [K in keyof F]: number };

/** A structure of integers, in the order in which they are declared; all are needed, 0 where nothing is said. */
export function struct<F extends Fields>(fields: F): StructCodec<StructValue<F>> {
  const layout = Object.entries(fields).map(([name, codec]) => ({ name, codec, size: codec.byteLength(0) }));
  const size = layout.reduce((sum, field) => sum + field.size, 0);
  return {
    format: 'struct',
    size,
    byteLength(value) {
      for (const { name, codec } of layout) {
        try {
          codec.byteLength(value[name]!);
        } catch (error) {
          throw error instanceof EncodeError ? error.within(name) : error;
        }
      }
      return size;
    },
    encode(value, target, offset) {
      for (const { name, codec, size: length } of layout) {
        codec.encode(value[name]!, target, offset);
        offset += length;
      }
    },
    decode(source, start, end) {
      if (end - start < size) throw new DecodeError(`${end - start} bytes where ${size} are needed`, start);
      const value: Record<string, number> = {};
      let offset = start;
      for (const { name, codec, size: length } of layout) {
        value[name] = codec.decode(source, offset, offset + length);
        offset += length;
      }
      return value as StructValue<F>;
    },
  };
}

/**
 * What follows the nlmsghdr of an rtnetlink message: a structure, a multiple of four long, and attributes.
 * Its value holds the fields of both.
 */
export function payload<S extends StructCodec<object>, A extends NestCodec<object>>(
  fixed: S,
  attributes: A,
): Codec<ValueOf<S> & ValueOf<A>> {
  return {
    format: 'payload',
    byteLength: (value) => fixed.byteLength(value) + attributes.byteLength(value),
    encode(value, target, offset) {
      fixed.encode(value, target, offset);
      attributes.encode(value, target, offset + fixed.size);
    },
    decode(source, start, end) {
      const head = fixed.decode(source, start, end);
      return { ...head, ...attributes.decode(source, start + fixed.size, end) } as ValueOf<S> & ValueOf<A>;
    },
  };
}
