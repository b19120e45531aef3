/** ipset: sets of addresses, networks, ports, marks and interfaces in the kernel. */
export * from './attributes.ts';
export * from './client.ts';
export * from './constants.ts';
export type { CreateOptions, Family } from './create.ts';
export { decodeElement, type Element, type ElementUse, encodeElement, type SetShape } from './element.ts';
export { elementFields } from './elementKey.ts';
export { formatElement, formatExtensions, parseElement } from './elementText.ts';
export { describeErrno, type ErrnoMeaning, type StorageMethod } from './errno.ts';
export { IpsetError } from './errors.ts';
export { type SetHeader, sameShape } from './header.ts';
export { KernelSession, type TypeRevisions } from './kernelSession.ts';
export type { ListingPart, SetListing } from './listing.ts';
export { MembershipTester } from './membership.ts';
export { openIpset } from './open.ts';
export { IpsetReader } from './reader.ts';
export {
  type Dimension,
  type Feature,
  findSetType,
  type SetType,
  type SetTypeName,
  setTypes,
} from './setType.ts';
export { ipset } from './subsystem.ts';
export { type TestTemplate, type TestTemplateOptions, testTemplate } from './testTemplate.ts';
export { MAX_TIMEOUT } from './timeout.ts';
