/** The number at an offset, in hexadecimal digits as strtol(3) reads it, and where it ends. */
interface Scanned {
  value: bigint;
  end: number;
}

const number = /[ \t\n\v\f\r]*[+-]?(?:0[xX](?=[0-9a-fA-F]))?[0-9a-fA-F]+/y;
const MOST = 0x7fffffffffffffffn;

function scan(text: string, at: number): Scanned | undefined {
  number.lastIndex = at;
  const match = number.exec(text);
  if (!match) return undefined;
  const digits = match[0].trim();
  const unsigned = digits.replace(/^[+-]/, '').replace(/^0[xX]/, '');
  let value = BigInt(`0x${unsigned}`);
  if (value > MOST) value = MOST;
  return { value: digits.startsWith('-') ? -value : value, end: number.lastIndex };
}

/** How far a text goes without a colon or a comma. */
function span(text: string, at: number): number {
  let end = at;
  while (end < text.length && text[end] !== ':' && text[end] !== ',') end++;
  return end - at;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The order of `-sorted`, which is that of bystrcmp() in lib/session.c: numbers by value, all read as
 * hexadecimal; of networks the longer prefix first; names by their length, then by their letters.
 * @param prefix characters of each line that are not compared
 */
export function compareElements(prefix: number, isText: boolean): (a: string, b: string) => number {
  if (isText) return compareText;
  return (a, b) => compareFrom(a, b, prefix);
}

function compareFrom(a: string, b: string, start: number): number {
  let x = start;
  let y = start;
  let sign = 1;
  while (x < a.length && y < b.length) {
    const left = scan(a, x);
    const right = scan(b, y);
    if (!left || !right) {
      const [n, m] = [span(a, x), span(b, y)];
      if (n === 0 && m === 0) return compareText(a.slice(x), b.slice(y));
      if (n !== m) return n < m ? -1 : 1;
      const order = compareText(a.slice(x, x + n), b.slice(y, y + n));
      if (order !== 0) return order;
      x += n + 1;
      y += n + 1;
      sign = 1;
      continue;
    }
    if (left.value !== right.value) return sign * (left.value < right.value ? -1 : 1);
    const [p, q] = [a[left.end], b[right.end]];
    if (p === '/' || q === '/') {
      if (p === q) sign = -1;
      else return p === '/' ? 1 : -1;
    }
    x = left.end + 1;
    y = right.end + 1;
    if (a[x] === ':' || b[y] === ':') {
      if (a[x] !== b[y]) return a[x] === ':' ? -1 : 1;
      x++;
      y++;
    }
  }
  return x < a.length ? 1 : y < b.length ? -1 : 0;
}
