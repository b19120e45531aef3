/** The table of the namespace as the test reads it, by a socket of its own. */
import { encodeListFlows, FlowView } from '../../src/ctnetlink/index.ts';
import { openConnection, toHex } from '../../src/nfnetlink/index.ts';

export interface TableRow {
  /** The number of the flow's client: the last three bytes of 10.x.y.z. */
  readonly n: number;
  readonly mark: number;
  readonly destination: string;
}

export async function readTable(): Promise<TableRow[]> {
  const connection = await openConnection({ timeout: 30_000 });
  const view = new FlowView();
  const address = new Uint8Array(16);
  const rows: TableRow[] = [];
  try {
    await connection.visit(encodeListFlows(2), (bytes, start, end) => {
      const { original, mark } = view.attach(bytes, start, end);
      original.copySource(address, 0);
      const n = (address[1]! << 16) | (address[2]! << 8) | address[3]!;
      const length = original.copyDestination(address, 0);
      rows.push({ n, mark, destination: toHex(address, 0, length) });
    });
  } finally {
    await connection.close();
  }
  return rows;
}
