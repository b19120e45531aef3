import type { DaemonStatus } from '../../daemon/status.ts';

/** What is worth telling of a run's totals. */
export function totalsOf(status: DaemonStatus) {
  const { events, verdicts, ignored, resets, suppressed, moved, returned, sweeps, malformed } = status;
  return { events, verdicts, ignored, resets, suppressed, moved, returned, sweeps: sweeps.done, malformed };
}

export type SimulationTotals = ReturnType<typeof totalsOf>;

/** Totals in a table, a column for each run; rows of zeros are left out. */
export function totalsText(columns: readonly SimulationTotals[], heads: readonly string[] = []): string {
  const rows = rowsOf(columns).filter(([, ...counts]) => counts.some((count) => count !== 0));
  const width = Math.max(...rows.map(([name]) => name.length));
  const cells = Math.max(8, ...heads.map((head) => head.length));
  const line = (name: string, values: readonly (string | number)[]) =>
    `${name.padEnd(width)}${values.map((value) => ` ${String(value).padStart(cells)}`).join('')}\n`;
  const head = heads.length > 0 ? line('', heads) : '';
  return `${head}${rows.map(([name, ...counts]) => line(name, counts)).join('')}`;
}

type Row = [name: string, ...counts: number[]];

function rowsOf(columns: readonly SimulationTotals[]): Row[] {
  const row = (name: string, of: (totals: SimulationTotals) => number): Row => [name, ...columns.map(of)];
  const group = (name: string, of: (totals: SimulationTotals) => Readonly<Record<string, number>>): Row[] =>
    Object.keys(of(columns[0]!)).map((key) => row(`${name} ${key}`, (totals) => of(totals)[key]!));
  return [
    row('new flows', ({ events }) => events),
    ...group('judged', ({ verdicts }) => verdicts),
    ...group('ignored as', ({ ignored }) => ignored),
    ...group('resets', ({ resets }) => resets),
    ...group('left alone by', ({ suppressed }) => suppressed),
    row('moved', ({ moved }) => moved),
    row('returned', ({ returned }) => returned),
    row('sweeps', ({ sweeps }) => sweeps),
    row('malformed', ({ malformed }) => malformed),
  ];
}
