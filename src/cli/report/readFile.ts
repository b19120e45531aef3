import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type CheckedFilter, checkFilter, type Network } from '../../ctnetlink/filter.ts';
import { contains } from '../../daemon/network.ts';
import { FLOW_CLASSES } from '../../report/flowClass.ts';
import { CLASS_AT, DESTINATION_AT, KEY_BYTES, PROTOCOL_AT, SOURCE_AT } from '../../report/flowKey.ts';
import type { FlowTable } from '../../report/flowTable.ts';
import { NoFlowError, readFlowLine } from '../../report/readFlows.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';

/**
 * Fills the table from a report in JSON; '-' is standard input.
 * @param filter which of its flows: by family, protocol and networks
 * @throws CliError where a line is no flow
 */
export async function readReport(
  path: string,
  table: FlowTable,
  io: Io,
  filter: CheckedFilter = checkFilter({}),
): Promise<void> {
  const input = path === '-' ? io.stdin : createReadStream(path);
  const key = new Uint8Array(KEY_BYTES);
  let number = 0;
  // an iterator over the lines would not hear of an error of the file
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  const read = (async () => {
    for await (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const { flags, flows } = readFlowLine(line, key);
      if (matchesKey(filter, key)) table.add(key, flags, flows);
    }
  })();
  try {
    await Promise.race([read, failed]);
  } catch (error) {
    if (!(error instanceof NoFlowError)) throw error;
    throw new CliError(
      `${path}:${number}`,
      error.message,
      'it has to be a report written with --format json',
    );
  }
}

/** As far as keys tell: not the mark, the status and the zone. Where it names networks it has their family. */
function matchesKey({ family, protocol, original }: CheckedFilter, key: Uint8Array): boolean {
  if (family !== undefined && family !== FLOW_CLASSES[key[CLASS_AT]!]!.family) return false;
  if (protocol !== undefined && protocol !== key[PROTOCOL_AT]) return false;
  const isIn = (network: Network | undefined, at: number) => !network || contains(network, key, at);
  return isIn(original.source, SOURCE_AT) && isIn(original.destination, DESTINATION_AT);
}
