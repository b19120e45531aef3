import { findSetType } from '../../src/ipset/index.ts';
import { ModelSet, type SetTable, type VirtualClock } from '../../src/model/index.ts';
import type { Chance } from './chance.ts';
import { SetHistory, type WorldElement } from './history.ts';
import type { Scenario, ScenarioSet } from './scenario.ts';

export interface WorldSetsParts {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly chance: Chance;
  readonly kernelSets: SetTable;
  readonly say: (what: string) => void;
}

/** The sets of a world: in the kernel as they are, and in histories as they ever were. */
export class WorldSets {
  readonly histories = new Map<string, SetHistory>();
  readonly #scenario: Scenario;
  readonly #clock: VirtualClock;
  readonly #chance: Chance;
  readonly #kernelSets: SetTable;
  readonly #say: (what: string) => void;

  constructor({ scenario, clock, chance, kernelSets, say }: WorldSetsParts) {
    this.#scenario = scenario;
    this.#clock = clock;
    this.#chance = chance;
    this.#kernelSets = kernelSets;
    this.#say = say;
    for (const set of scenario.sets) this.#make(set);
  }

  #make(set: ScenarioSet): void {
    this.histories.set(set.name, new SetHistory(set.name, set.type, set.family, set.exists));
    if (set.exists) this.#makeKernelSet(set);
    for (const element of this.elementsOf(set))
      if (set.exists && this.#chance.percent(35)) this.fill(set, element);
  }

  #makeKernelSet({ name, type, family, isTimed }: ScenarioSet): void {
    const setType = findSetType(type)!;
    const options = isTimed ? { timeout: 60 } : {};
    const now = () => this.#clock.now();
    const set = new ModelSet(setType, family === 'ipv4' ? 2 : 10, setType.revision, options, now);
    this.#kernelSets.set(name, set);
  }

  /** What the set could hold of this world. */
  elementsOf({ family, type, match }: ScenarioSet): WorldElement[] {
    const bits = family === 'ipv4' ? 32 : 128;
    const { clients, destinations } = this.#scenario;
    const hosts = (match[0] === 'src' ? clients : destinations).filter((each) => each.bits === bits);
    return hosts.flatMap((host): WorldElement[] => {
      const prefix = type.startsWith('hash:net') ? bits - this.#chance.pick([0, 0, 3, 8]) : bits;
      const net = { host, prefix };
      if (!type.includes('port')) return [{ net }];
      return [
        { net, protocol: 6, port: 443 },
        { net, protocol: 17, port: this.#chance.pick([443, 53]) },
      ];
    });
  }

  /** Recognition puts an element into a set. */
  fill({ name, isTimed }: ScenarioSet, element: WorldElement): void {
    const history = this.histories.get(name)!;
    if (!history.exists.at(this.#clock.now())) return;
    const seconds = isTimed && this.#chance.percent(50) ? this.#chance.between(1, 9) : undefined;
    const now = this.#clock.now();
    this.#say(`set ${name} gains ${textOf(element)}${seconds === undefined ? '' : ` for ${seconds} s`}`);
    const timeout = seconds === undefined ? {} : { timeout: seconds };
    this.#kernelSets.get(name)!.add({ ...wireOf(element), ...timeout }, false);
    const length = isTimed ? (seconds ?? 60) * 1000 : Number.POSITIVE_INFINITY;
    history.add(masked(element), now, now + length);
  }

  drop({ name }: ScenarioSet, element: WorldElement): void {
    const set = this.#kernelSets.get(name);
    if (set?.delete(wireOf(element)) !== 0) return;
    this.#say(`set ${name} loses ${textOf(element)}`);
    this.histories.get(name)!.remove(masked(element), this.#clock.now());
  }

  appear(set: ScenarioSet): void {
    this.#say(`set ${set.name} is made`);
    this.#makeKernelSet(set);
    this.histories.get(set.name)!.exists.set(this.#clock.now(), true);
    for (const element of this.elementsOf(set)) if (this.#chance.percent(50)) this.fill(set, element);
  }

  vanish({ name }: ScenarioSet): void {
    this.#say(`set ${name} is destroyed`);
    this.#kernelSets.delete(name);
    const history = this.histories.get(name)!;
    history.empty(this.#clock.now());
    history.exists.set(this.#clock.now(), false);
  }
}

function wireOf({ net, protocol, port }: WorldElement) {
  const cidr = net.prefix === net.host.bits ? {} : { cidr: net.prefix };
  return { ip: net.host.text, ...cidr, ...(protocol !== undefined && { protocol, port: port! }) };
}

/** The element without host bits, by which it is known. */
function masked(element: WorldElement): WorldElement {
  const { host, prefix } = element.net;
  const rest = BigInt(host.bits - prefix);
  return { ...element, net: { host: { ...host, value: (host.value >> rest) << rest }, prefix } };
}

function textOf({ net, protocol, port }: WorldElement): string {
  return `${net.host.text}/${net.prefix}${protocol === undefined ? '' : `,${protocol}:${port}`}`;
}
