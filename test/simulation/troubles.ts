import { IPSET_CMD } from '../../src/ipset/index.ts';
import type { Trouble, VirtualClock } from '../../src/model/index.ts';
import { commandOf, NETLINK, NFNL_SUBSYS, subsystemOf } from '../../src/nfnetlink/index.ts';
import { Chance } from './chance.ts';
import type { Faults, Scenario } from './scenario.ts';

const EPERM = 1;
const ENOMEM = 12;
const EBUSY = 16;

/** What goes wrong between the daemon and the kernel: readings that are late, answers that are lost, refusals. */
export class Troubles {
  readonly #faults: Faults;
  readonly #clock: VirtualClock;
  readonly #from: number;
  readonly #until: number;
  readonly #say: (what: string) => void;
  readonly #chance: Chance;
  #stalledUntil = 0;

  /** @param from, until when answers may be lost, late or refusals */
  constructor(
    { faults, seed }: Scenario,
    clock: VirtualClock,
    [from, until]: readonly [number, number],
    say: (what: string) => void,
  ) {
    this.#faults = faults;
    this.#clock = clock;
    this.#from = from;
    this.#until = until;
    this.#say = say;
    this.#chance = new Chance(seed * 17 + 3);
  }

  /** The daemon reads nothing for a while. */
  stall(): void {
    this.#stalledUntil = this.#clock.now() + this.#faults.stall;
    this.#say(`reading stands still until ${this.#stalledUntil}`);
  }

  readingDelay(isEvents: boolean): number {
    const { delay, late } = this.#faults;
    const stalled = Math.max(0, this.#stalledUntil - this.#clock.now());
    const isLate = late > 0 && !isEvents && this.#isTroubled && this.#chance.below(1000) < late;
    if (isLate) this.#say('answers come late');
    return stalled + this.#chance.below(delay + 1) + (isLate ? this.#chance.between(4000, 6500) : 0);
  }

  get #isTroubled(): boolean {
    const now = this.#clock.now();
    return now >= this.#from && now < this.#until;
  }

  troubleOf(type: number, protocol: number): Trouble | undefined {
    const { lost, refused } = this.#faults;
    if (lost + refused === 0 || !this.#isTroubled || protocol === NETLINK.ROUTE) return undefined;
    const isIpset = subsystemOf(type) === NFNL_SUBSYS.IPSET;
    // of the few removals from sticky sets more fail
    const drawn = this.#chance.below(isIpset && commandOf(type) === IPSET_CMD.DEL ? 100 : 1000);
    if (drawn >= lost + refused) return undefined;
    const errno = isIpset ? ENOMEM : this.#chance.pick([ENOMEM, EPERM, EBUSY]);
    const trouble = drawn < lost ? 'lost' : errno;
    this.#say(`request of type 0x${type.toString(16)}: ${trouble}`);
    return trouble;
  }
}
