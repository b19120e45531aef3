/** The protocol floor: bytes, messages, attributes, codecs, errors, transports. */
export * from './ack.ts';
export * from './address.ts';
export * from './attribute.ts';
export * from './bytes.ts';
export * from './codec.ts';
export * from './constants.ts';
export * from './errno.ts';
export * from './errors.ts';
export * from './message.ts';
export * from './requester.ts';
export * from './scalar.ts';
export * from './subsystem.ts';
export * from './transport.ts';
export * from './tree.ts';
