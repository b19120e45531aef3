import type { UciSection, UciValue } from './uci.ts';
import { sectionText, type WarnOfLine } from './warnings.ts';

/** An option's value; the words of a list behind one another, as config_get() gives them. */
export function optionOf(section: UciSection, option: string): UciValue | undefined {
  const values = section.options.get(option)?.values;
  return values && { text: values.map(({ text }) => text).join(' '), line: values[0]!.line };
}

/** The items of an option: a list's values, each again a list of words between commas and spaces. */
export function itemsOf(section: UciSection, option: string): readonly UciValue[] {
  return (section.options.get(option)?.values ?? []).flatMap(({ text, line }) =>
    text
      .split(/[\s,]+/)
      .filter((item) => item !== '')
      .map((item) => ({ text: item, line })),
  );
}

/** Whether an option says 1; what is neither 0 nor 1 is warned of and taken as 0, as mwan3's test takes it. */
export function isOn(section: UciSection, option: string, warn: WarnOfLine): boolean {
  const value = optionOf(section, option);
  if (value === undefined || value.text === '0') return false;
  if (value.text === '1') return true;
  const said = `${option} ${JSON.stringify(value.text)}`;
  warn(value.line, `${sectionText(section)}: ${said} is neither 0 nor 1: taken as 0`);
  return false;
}

/** A whole number, or the default where the option is missing or says no number, which is warned of. */
export function numberOf(section: UciSection, option: string, byDefault: number, warn: WarnOfLine): number {
  const value = optionOf(section, option);
  if (value === undefined) return byDefault;
  if (/^\d{1,9}$/.test(value.text)) return Number(value.text);
  const said = `${option} ${JSON.stringify(value.text)}`;
  warn(value.line, `${sectionText(section)}: ${said} is no whole number: taken as ${byDefault}`);
  return byDefault;
}
