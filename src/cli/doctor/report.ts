import type { Finding, Status } from './finding.ts';

const colours: Readonly<Record<Status, number>> = { ok: 32, warn: 33, fail: 31 };

/** Findings as aligned lines; those that are not well say why they matter and what mends them. */
export function reportText(findings: readonly Finding[], colour: boolean): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const paint = (status: Status, text: string) => (colour ? `\x1b[${colours[status]}m${text}\x1b[0m` : text);
  const lines = findings.map(({ status, name, found, why, mend }) => {
    const first = `${paint(status, status.padEnd(4))}  ${name.padEnd(width)}  ${found}\n`;
    if (status === 'ok') return first;
    const indent = ' '.repeat(width + 8);
    return `${first}${indent}why: ${why}\n${mend ? `${indent}mend: ${mend}\n` : ''}`;
  });
  return `${lines.join('')}\n${verdict(findings)}\n`;
}

function verdict(findings: readonly Finding[]): string {
  const count = (wanted: Status) => findings.filter(({ status }) => status === wanted).length;
  const [fails, warns] = [count('fail'), count('warn')];
  if (fails > 0) return `${plural(fails, 'failure')}, ${plural(warns, 'warning')}: resteer cannot work here.`;
  if (warns > 0) return `${plural(warns, 'warning')}: resteer can work here.`;
  return 'All is well.';
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
