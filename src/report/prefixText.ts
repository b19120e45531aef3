import { formatAddress } from '../nfnetlink/address.ts';
import type { Prefix } from './prefixTree.ts';

/** '192.0.2.0/24'; a single address without its length. */
export function prefixText({ words, length }: Prefix): string {
  const bytes = new Uint8Array(4 * words.length);
  const data = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) data.setUint32(4 * i, word);
  const address = formatAddress(bytes);
  return length === 8 * bytes.length ? address : `${address}/${length}`;
}
