import type { SetTypeName } from '../../src/ipset/index.ts';
import type { Host, Net } from './host.ts';
import { isWithin } from './host.ts';

/** What is, was, or will be the case from one moment on: values by time. */
export class Timeline<T> {
  readonly #points: { readonly at: number; readonly value: T }[];

  constructor(first: T) {
    this.#points = [{ at: Number.NEGATIVE_INFINITY, value: first }];
  }

  set(at: number, value: T): void {
    this.#points.push({ at, value });
  }
  at(time: number): T {
    let value = this.#points[0]!.value;
    for (const point of this.#points) if (point.at <= time) value = point.value;
    return value;
  }
  /** When it changed. */
  get changes(): readonly number[] {
    return this.#points.slice(1).map(({ at }) => at);
  }
}

/** An element of a simulated set. */
export interface WorldElement {
  readonly net: Net;
  readonly protocol?: number;
  readonly port?: number;
}

interface Stay {
  readonly element: WorldElement;
  readonly from: number;
  /** Exclusive. */
  to: number;
}

/** What of a flow a set is asked about. */
export interface SetKey {
  readonly address: Host;
  readonly protocol: number;
  /** For ICMP type and code; undefined for protocols without ports. */
  readonly port: number | undefined;
}

/** A set of the world with all that was ever in it, and when. */
export class SetHistory {
  readonly name: string;
  readonly type: SetTypeName;
  readonly family: 'ipv4' | 'ipv6';
  /** Whether the set is there. */
  readonly exists: Timeline<boolean>;
  readonly #stays: Stay[] = [];

  constructor(name: string, type: SetTypeName, family: 'ipv4' | 'ipv6', exists: boolean) {
    this.name = name;
    this.type = type;
    this.family = family;
    this.exists = new Timeline(exists);
  }

  /** The element stays until then, if it is not taken away before. */
  add(element: WorldElement, from: number, to: number): void {
    this.remove(element, from);
    this.#stays.push({ element, from, to });
  }

  remove(element: WorldElement, at: number): void {
    for (const stay of this.#stays) if (isSame(stay.element, element) && stay.to > at) stay.to = at;
  }

  empty(at: number): void {
    for (const stay of this.#stays) if (stay.to > at) stay.to = at;
  }

  contains(key: SetKey, at: number): boolean {
    if (!this.exists.at(at)) return false;
    return this.#stays.some(
      ({ element, from, to }) => from <= at && at < to && holds(element, key, this.type.includes('port')),
    );
  }

  /** When an element that holds the key came; undefined where none is there at the end. */
  cameAt(key: SetKey, end: number): number | undefined {
    const present = this.#stays.filter(
      ({ element, from, to }) => from <= end && end < to && holds(element, key, this.type.includes('port')),
    );
    return present.length === 0 ? undefined : Math.min(...present.map(({ from }) => from));
  }

  get changes(): number[] {
    return [...this.exists.changes, ...this.#stays.flatMap(({ from, to }) => [from, to])];
  }
}

function holds({ net, protocol, port }: WorldElement, key: SetKey, hasPort: boolean): boolean {
  if (!isWithin(key.address, net)) return false;
  return !hasPort || (key.port !== undefined && key.protocol === protocol && key.port === port);
}

function isSame(a: WorldElement, b: WorldElement): boolean {
  const isSameNet = a.net.host.value === b.net.host.value && a.net.prefix === b.net.prefix;
  return isSameNet && a.protocol === b.protocol && a.port === b.port;
}
