import { readFileSync } from 'node:fs';
import { PROTOCOLS, type Protocol } from './protocols.ts';

/** A protocol by number, with its options where it has some. */
export interface ProtocolChoice {
  readonly number: number;
  readonly known: Protocol | undefined;
}

/** IPPROTO_RAW: conntrack(8) takes no number above. */
const MAX_PROTOCOL = 255;

/** What -p means: a name of a known protocol, a name in /etc/protocols, or a number. */
export function findProtocol(text: string): ProtocolChoice | undefined {
  const known = PROTOCOLS.find(({ name }) => name === text.toLowerCase());
  if (known) return { number: known.number, known };
  const listed = numberByName().get(text);
  // as conntrack(8): by a name from the file a protocol is without options, by its number with them
  if (listed !== undefined) return { number: listed, known: undefined };
  if (!/^(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.test(text)) return undefined;
  const number = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
  if (!(number <= MAX_PROTOCOL)) return undefined;
  return { number, known: PROTOCOLS.find((protocol) => protocol.number === number) };
}

/** The name that the help shows. */
export function protocolName({ number, known }: ProtocolChoice): string {
  if (known) return known.name;
  for (const [name, listed] of numberByName()) if (listed === number) return name;
  return 'unknown';
}

let names: ReadonlyMap<string, number> | undefined;

/** /etc/protocols: names and aliases, in the order of the file. */
function numberByName(): ReadonlyMap<string, number> {
  names ??= readProtocols();
  return names;
}

function readProtocols(): ReadonlyMap<string, number> {
  const map = new Map<string, number>();
  let text = '';
  try {
    text = readFileSync('/etc/protocols', 'utf8');
  } catch {
    return map;
  }
  for (const line of text.split('\n')) {
    const [name, number, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (name === undefined || number === undefined) continue;
    for (const each of [name, ...aliases]) if (!map.has(each)) map.set(each, Number(number));
  }
  return map;
}
