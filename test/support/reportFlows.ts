/** Tables of distinct flows, made of messages or of records. */
import { FlowView } from '../../src/ctnetlink/flowView.ts';
import { KEY_BYTES, writeFlowKey } from '../../src/report/flowKey.ts';
import type { FlowRecord } from '../../src/report/flowLines.ts';
import { FlowTable } from '../../src/report/flowTable.ts';
import { readFlowLine } from '../../src/report/readFlows.ts';
import { fixture } from './fixtures.ts';

export const emptyTable = (limit = 1_000_000) => new FlowTable({ limit, seed: 4711 });

/** The flows of captured events (test/fixtures/event.jsonl), by their names. */
export function tableOfEvents(...names: string[]): FlowTable {
  const table = emptyTable();
  const view = new FlowView();
  const key = new Uint8Array(KEY_BYTES);
  for (const name of names) {
    const { bytes } = fixture('event', name);
    table.add(key, writeFlowKey(view.attach(bytes, 0, bytes.length), key)!, 1);
  }
  return table;
}

/** A flow of TCP to port 443, with what is said of it changed. */
export function record(changes: Partial<FlowRecord>): Partial<FlowRecord> {
  return {
    ...{ family: 'ipv4', protocol: 'tcp', source: '192.0.2.1', sourcePort: 1024 },
    ...{ destination: '198.51.100.1', destinationPort: 443, flows: 1, ...changes },
  };
}

export function tableOf(records: readonly Partial<FlowRecord>[]): FlowTable {
  const table = emptyTable();
  const key = new Uint8Array(KEY_BYTES);
  for (const each of records) {
    const { flags, flows } = readFlowLine(JSON.stringify(each), key);
    table.add(key, flags, flows);
  }
  return table;
}
