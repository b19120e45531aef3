import { EncodeError } from '../nfnetlink/index.ts';
import { setReply } from './attributes.ts';
import { IPSET_ATTR } from './constants.ts';

const codec = setReply.byType[IPSET_ATTR.SETNAME]!.codec;

/**
 * Checks a set's name: 1 to 31 bytes. The kernel itself takes an empty name at CREATE, and then no tool
 * can name the set.
 * @throws EncodeError
 */
export function checkSetName(name: string, field = 'setName'): void {
  if (name === '') throw new EncodeError("a set's name has 1 to 31 bytes, this one has none", field);
  try {
    codec.byteLength(name);
  } catch (error) {
    throw error instanceof EncodeError ? error.within(field) : error;
  }
}
