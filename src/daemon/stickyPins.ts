import type { IpsetClient } from '../ipset/index.ts';
import { formatAddress } from '../nfnetlink/address.ts';
import { ERRNO } from '../nfnetlink/constants.ts';
import type { KernelError, NetlinkError } from '../nfnetlink/errors.ts';
import { addressLength, type FlowStore } from './flowStore.ts';
import { familyName, type Plan } from './plan.ts';

/**
 * Takes the client of a flow under a sticky rule out of the sets that hold it to the flow's interface: the
 * flow that follows would be put there again. A set or an element that is not there is no fault.
 * @param onFailure hears that the kernel gave no answer, which is no refusal
 * @returns why the client is still held, or undefined where it is not
 */
export async function unpin(
  client: IpsetClient,
  { rules, interfaces }: Plan,
  store: FlowStore,
  slot: number,
  onFailure: (error: unknown) => void,
): Promise<string | undefined> {
  const family = store.family(slot);
  const at = store.sourceAt(slot);
  const ip = formatAddress(store.bytesOf(slot).subarray(at, at + addressLength(family)));
  const { mark } = interfaces[store.interface(slot)]!;
  for (const set of rules[store.rule(slot)]!.sticky?.[familyName(family)] ?? []) {
    try {
      await client.del(set, { ip, mark }, { exist: true });
    } catch (error) {
      if (isMissing(error)) continue;
      if ((error as NetlinkError).kind !== 'kernel') onFailure(error);
      return `the sticky entry could not be removed: ${(error as Error).message}`;
    }
  }
  return undefined;
}

function isMissing(error: unknown): boolean {
  return (error as NetlinkError).kind === 'kernel' && (error as KernelError).errno === ERRNO.ENOENT;
}
