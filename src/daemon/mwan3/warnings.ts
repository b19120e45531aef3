import { suggestion } from '../config/nearest.ts';
import type { UciSection } from './uci.ts';

/** Takes one warning about a line of the file. */
export type WarnOfLine = (line: number, sentence: string) => void;

/** Writes warnings of one file into a list: '/etc/config/mwan3: line 12: ...'. */
export function warnInto(warnings: string[], file: string): WarnOfLine {
  return (line, sentence) => warnings.push(`${file}: line ${line}: ${sentence}`);
}

/** 'rule "https"', or 'rule without a name'. */
export function sectionText({ type, name }: UciSection): string {
  return name === undefined ? `${type} without a name` : `${type} ${JSON.stringify(name)}`;
}

/** Warns of options that are no option of the section's type, but look like one. */
export function warnOfMisspelt(section: UciSection, known: readonly string[], warn: WarnOfLine): void {
  for (const { name, values } of section.options.values()) {
    const meant = known.includes(name) ? '' : suggestion(name, known);
    if (meant !== '') warn(values[0]!.line, `${sectionText(section)}: unknown option ${name}${meant}`);
  }
}
