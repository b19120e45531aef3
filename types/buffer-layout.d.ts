/** The part of buffer-layout 1.2 that describes fixed structures; the package brings no declarations. */
declare module 'buffer-layout' {
  /** Reads and writes one value at an offset of a buffer. `span` is its length in bytes, -1 if it varies. */
  export class Layout<Value = unknown, Property extends string = string> {
    readonly span: number;
    readonly property: Property | undefined;
    decode(bytes: Uint8Array, offset?: number): Value;
    /** Returns how many bytes were written. */
    encode(value: Value, bytes: Uint8Array, offset?: number): number;
    getSpan(bytes?: Uint8Array, offset?: number): number;
    replicate<Name extends string>(property: Name): Layout<Value, Name>;
  }

  type ValueOf<Fields extends readonly Layout[]> = {
    [Field in Fields[number] as Field extends Layout<unknown, infer Name>
      ? Name
      : never]: Field extends Layout<infer Value> ? Value : never;
  };

  export class Structure<Fields extends readonly Layout[], Property extends string = string> extends Layout<
    ValueOf<Fields>,
    Property
  > {
    readonly fields: Fields;
    layoutFor(property: string): Layout | undefined;
    /** The offset of a field from the structure's start, undefined where it varies or is no field. */
    offsetOf(property: string): number | undefined;
  }

  export class Blob<Property extends string = string> extends Layout<Uint8Array, Property> {}

  type Scalar = <Property extends string>(property?: Property) => Layout<number, Property>;
  export const u8: Scalar;
  export const u16: Scalar;
  export const u32: Scalar;
  export const u16be: Scalar;
  export const u32be: Scalar;
  export const s32: Scalar;
  export const s32be: Scalar;

  export function struct<const Fields extends readonly Layout[], Property extends string>(
    fields: Fields,
    property?: Property,
  ): Structure<Fields, Property>;
  export function seq<Value, Property extends string>(
    element: Layout<Value>,
    count: number | Layout<number>,
    property?: Property,
  ): Layout<Value[], Property>;
  export function blob<Property extends string>(
    length: number | Layout<number>,
    property?: Property,
  ): Blob<Property>;
}
