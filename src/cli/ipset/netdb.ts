import { readFileSync } from 'node:fs';
import { formatProtocol, parseProtocol } from '../../ipset/protocolText.ts';

/**
 * Names of protocols and services from /etc/protocols and /etc/services, as getprotobyname(3) and
 * getservbyname(3) find them. Where a system lacks /etc/protocols, the usual ones are known all the same.
 */
export class NetworkDatabase {
  #protocols: ProtocolNames | undefined;
  #services: ReadonlyMap<string, number> | undefined;
  readonly #read: (path: string) => string;

  constructor(read: (path: string) => string = readText) {
    this.#read = read;
  }

  /** A protocol's number by its name or an alias, upper and lower case apart. */
  protocolByName(name: string): number | undefined {
    const { byName } = this.#protocolNames();
    return byName ? byName.get(name) : /^\d/.test(name) ? undefined : parseProtocol(name);
  }

  /** A protocol's name, or undefined where it has none. */
  protocolByNumber(number: number): string | undefined {
    const { byNumber } = this.#protocolNames();
    if (byNumber) return byNumber.get(number);
    const name = formatProtocol(number);
    return name === String(number) ? undefined : name;
  }

  /** A service's port by its name or an alias, for one protocol. */
  port(service: string, protocol: string): number | undefined {
    this.#services ??= parseServices(this.#read('/etc/services'));
    return this.#services.get(`${service}/${protocol}`);
  }

  #protocolNames(): ProtocolNames {
    this.#protocols ??= parseProtocols(this.#read('/etc/protocols'));
    return this.#protocols;
  }
}

interface ProtocolNames {
  readonly byName?: ReadonlyMap<string, number>;
  readonly byNumber?: ReadonlyMap<number, string>;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function* rows(text: string): Generator<string[]> {
  for (const line of text.split('\n')) {
    const words = line.replace(/#.*/, '').split(/\s+/).filter(Boolean);
    if (words.length >= 2) yield words;
  }
}

// the first row of a name or number counts
function parseProtocols(text: string): ProtocolNames {
  if (text === '') return {};
  const byName = new Map<string, number>();
  const byNumber = new Map<number, string>();
  for (const [name, number, ...aliases] of rows(text)) {
    const value = Number(number);
    for (const each of [name!, ...aliases]) if (!byName.has(each)) byName.set(each, value);
    if (!byNumber.has(value)) byNumber.set(value, name!);
  }
  return { byName, byNumber };
}

function parseServices(text: string): Map<string, number> {
  const ports = new Map<string, number>();
  for (const [name, where, ...aliases] of rows(text)) {
    const [port, protocol] = where!.split('/');
    for (const each of [name!, ...aliases]) {
      const key = `${each}/${protocol}`;
      if (!ports.has(key)) ports.set(key, Number(port));
    }
  }
  return ports;
}
