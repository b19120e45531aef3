// what the last scan found: its value, and where it ends
let value = 0;
let end = 0;

// strtol(3) stops there; values beyond are equal
const MOST = Number.MAX_SAFE_INTEGER;

/** Reads the number at an offset, in hexadecimal digits, as strtol(3) does. @returns whether there is one */
function scan(text: string, at: number): boolean {
  let i = at;
  while (isSpace(text.charCodeAt(i))) i++;
  const sign = text.charCodeAt(i);
  if (sign === 43 || sign === 45) i++;
  const isPrefixed = text.charCodeAt(i) === 48 && (text.charCodeAt(i + 1) | 32) === 120;
  if (isPrefixed && digit(text.charCodeAt(i + 2)) !== -1) i += 2;
  const first = i;
  value = 0;
  for (let d = digit(text.charCodeAt(i)); d !== -1; d = digit(text.charCodeAt(++i))) {
    value = Math.min(MOST, value * 16 + d);
  }
  end = i;
  if (sign === 45) value = -value;
  return i > first;
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

/** The value of a hexadecimal digit, or -1. */
function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** How far a text goes without a colon or a comma. */
function span(text: string, at: number): number {
  let i = at;
  while (i < text.length && text[i] !== ':' && text[i] !== ',') i++;
  return i - at;
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
    const isLeft = scan(a, x);
    const [left, leftEnd] = [value, end];
    const isRight = scan(b, y);
    const [right, rightEnd] = [value, end];
    if (!isLeft || !isRight) {
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
    if (left !== right) return sign * (left < right ? -1 : 1);
    const [p, q] = [a[leftEnd], b[rightEnd]];
    if (p === '/' || q === '/') {
      if (p === q) sign = -1;
      else return p === '/' ? 1 : -1;
    }
    x = leftEnd + 1;
    y = rightEnd + 1;
    if (a[x] === ':' || b[y] === ':') {
      if (a[x] !== b[y]) return a[x] === ':' ? -1 : 1;
      x++;
      y++;
    }
  }
  return x < a.length ? 1 : y < b.length ? -1 : 0;
}
