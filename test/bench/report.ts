/** The table that people read. */
import { isSkipped, type Row, type Skipped } from './benchmark.ts';
import { median, passes, ratioOf } from './samples.ts';

const HEADER = ['what', 'resteer', 'peer', 'ratio', 'target', ''];

export function formatNumber(value: number): string {
  if (value === 0 || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** The median, and in brackets the least and the most where it was measured repeatedly. */
function formatSamples(samples: readonly number[]): string {
  const middle = formatNumber(median(samples));
  if (samples.length === 1) return middle;
  return `${middle} (${formatNumber(Math.min(...samples))}..${formatNumber(Math.max(...samples))})`;
}

function cells(row: Row | Skipped): string[] {
  if (isSkipped(row)) return [row.what, 'skipped', row.skipped, '', '', ''];
  const ratio = ratioOf(row);
  const verdict = passes(row);
  const { target, peer } = row;
  return [
    row.what,
    `${formatSamples(row.ours)} ${row.unit}`,
    peer ? `${peer.name}: ${formatSamples(peer.samples)}` : (row.note ?? ''),
    ratio === undefined ? '' : `${ratio.toFixed(2)} x`,
    target ? `<= ${formatNumber(target.most)}${target.kind === 'ratio' ? ' x' : ` ${row.unit}`}` : '',
    verdict === undefined ? '' : verdict ? 'pass' : 'MISS',
  ];
}

/** The rows as a Markdown table, padded so that it reads well on a terminal too. */
export function formatTable(rows: readonly (Row | Skipped)[]): string {
  const lines = [HEADER, ...rows.map(cells)];
  const widths = HEADER.map((_, column) => Math.max(3, ...lines.map((line) => line[column]!.length)));
  const text = lines.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`,
  );
  text.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return text.join('\n');
}
