import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { KEY_BYTES } from '../../report/flowKey.ts';
import type { FlowTable } from '../../report/flowTable.ts';
import { matchesKey, NoFlowError, readFlowLine } from '../../report/readFlows.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { ReportSettings } from './settings.ts';

/** Fills the table from a report in JSON; '-' is standard input. */
export async function readReport(
  path: string,
  table: FlowTable,
  { checkedFilter }: ReportSettings,
  io: Io,
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
      if (matchesKey(checkedFilter, key)) table.add(key, flags, flows);
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
