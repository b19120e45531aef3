import type { FlowTable } from '../../report/flowTable.ts';
import type { Io } from '../io.ts';
import { Output } from '../output.ts';
import { reportPieces } from './formats.ts';
import { replaceFile } from './replaceFile.ts';
import type { ReportSettings } from './settings.ts';

/** Writes what is known by now to where the settings say. */
export async function publish(table: FlowTable, settings: ReportSettings, io: Io): Promise<void> {
  const pieces = reportPieces(table, settings);
  if (settings.output !== undefined) {
    replaceFile(settings.output, pieces);
    return;
  }
  const output = new Output(io.stdout);
  for (const piece of pieces) {
    output.text(piece);
    output.lineEnded();
    if (output.isFull) await output.drained();
  }
  await output.drained();
}
