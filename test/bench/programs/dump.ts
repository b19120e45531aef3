/** Lists the table, as objects and in place. */
import { readFileSync, writeFileSync } from 'node:fs';
import { openConntrack } from '../../../src/ctnetlink/index.ts';
import { serve } from './serve.ts';

const conntrack = await openConntrack();

/** The most memory that was ever resident since the mark was set, in MB. Source: proc_pid_clear_refs(5). */
function peak(): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;
}

async function measured(work: () => Promise<void>) {
  writeFileSync('/proc/self/clear_refs', '5');
  const before = peak();
  const start = performance.now();
  await work();
  return { ms: performance.now() - start, peakMb: peak() - before };
}

let sum = 0;
serve({
  sum: () => sum,
  objects: () =>
    measured(async () => {
      for await (const flow of conntrack.list()) sum ^= flow.id;
    }),
  views: () =>
    measured(() =>
      conntrack.visit({}, (view) => {
        sum ^= view.id ^ view.original.destinationIpv4;
      }),
    ),
});
