import { basename, dirname, extname, join } from 'node:path';

/**
 * The name of one file of several, as dumpcap makes them: its number and when it was begun stand before the
 * extension, so that names sort by age, and those of another run are others.
 * @param number counted from 1
 */
export function rotatedName(path: string, number: number, begun: Date): string {
  const extension = extname(path);
  const stem = basename(path, extension);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${begun.getFullYear()}${two(begun.getMonth() + 1)}${two(begun.getDate())}`;
  const time = `${two(begun.getHours())}${two(begun.getMinutes())}${two(begun.getSeconds())}`;
  return join(dirname(path), `${stem}_${String(number).padStart(5, '0')}_${day}${time}${extension}`);
}
