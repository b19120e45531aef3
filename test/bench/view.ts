/** Library: reading one message, in place and as an object, without any socket. */
import type { Benchmark, Row } from './benchmark.ts';
import { inLaboratory } from './laboratory.ts';

interface Answer {
  readonly attach: number[];
  readonly toFlow: number[];
}

export const view: Benchmark = {
  name: 'view',
  run: (tools) =>
    inLaboratory(tools, async (lab) => {
      const rows: Row[] = [];
      for (const runtime of tools.runtimes) {
        const program = lab.program('view', runtime);
        const { attach, toFlow } = await program.ask<Answer>('measure');
        program.close();
        const unit = 'ns';
        rows.push({ what: `library: view, attach and read (${runtime.label})`, unit, ours: attach });
        rows.push({ what: `library: view, attach and toFlow (${runtime.label})`, unit, ours: toFlow });
      }
      return rows;
    }),
};
