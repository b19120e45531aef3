import type { ConntrackEvents } from '../../ctnetlink/events.ts';
import { systemClock } from '../../nfnetlink/clock.ts';
import { untilSignal } from '../untilSignal.ts';
import type { CommandLine } from './commandLine.ts';
import { Healing, type Ledger } from './healing.ts';
import { type Notice, noticeLine } from './notices.ts';
import type { Session } from './session.ts';

const OVERRUN =
  'WARNING: We have hit ENOBUFS! We are losing events.\n' +
  'This message means that the current netlink socket buffer size is too small.\n' +
  'Please, check --buffer-size in conntrack(8) manpage.\n';

/** Up to which the buffer grows by itself, where the command line does not say how large it is. */
const LARGEST_BUFFER = 8 << 20;

/** Bytes that wait for the reader of the events at most; what comes then is lost, as in a full socket. */
const MOST_WAITING = 8 << 20;

export interface WatchOptions {
  /** What the end of a comparison is printed with. */
  readonly describe: () => Readonly<Record<string, number>>;
}

/** A stream of events until a signal ends it: printed in time, told where some were lost, and healed. */
export class Watch {
  private readonly session: Session;
  private readonly line: CommandLine;
  private readonly healing: Healing;
  private events: ConntrackEvents | undefined;
  private isTurnDue = false;
  private isReaderBehind = false;

  constructor(session: Session, line: CommandLine, ledger: Ledger, { describe }: WatchOptions) {
    this.session = session;
    this.line = line;
    this.healing = new Healing({
      ...{ ledger, clock: systemClock },
      requester: () => session.questions,
      pace: () => (session.output.isFull ? session.output.drained() : undefined),
      bufferSize: () => this.events?.subscription.receiveBufferSize ?? 0,
      onHealed: () => this.notice({ event: 'resync', counts: describe() }),
      onError: (error) => this.fail(error),
    });
  }

  /** Whether the reader takes so long that an event has to be dropped, which is told and healed like any loss. */
  mustDrop(): boolean {
    const isFull = this.session.output.waiting > MOST_WAITING;
    if (isFull && !this.isReaderBehind) this.notice({ event: 'overrun' });
    this.isReaderBehind = isFull;
    if (isFull) this.heal();
    return isFull;
  }

  /** An event is being read: what is printed of it is written once those that are here have been read. */
  took(): void {
    this.healing.took();
    if (this.isTurnDue) return;
    this.isTurnDue = true;
    setImmediate(() => {
      this.isTurnDue = false;
      this.healing.turned();
      this.session.output.flush();
    });
  }

  /** The kernel says that it has dropped events. */
  overrun(): void {
    this.session.tell(OVERRUN);
    this.notice({ event: 'overrun' });
    const subscription = this.events?.subscription;
    if (subscription && this.line.bufferSize === undefined) {
      const { receiveBufferSize } = subscription;
      if (receiveBufferSize < LARGEST_BUFFER) subscription.growReceiveBuffer(receiveBufferSize);
    }
    this.heal();
  }

  heal(): void {
    this.healing.heal();
  }

  /** Lets the events come until a signal ends it. */
  async run(events: ConntrackEvents): Promise<void> {
    this.events = events;
    this.healing.takeStock();
    try {
      await untilSignal();
    } finally {
      this.healing.stop();
      await events.close();
    }
  }

  /** The events go on where the table cannot be listed: less is then known of it. */
  private fail(error: unknown): void {
    this.session.tell(`WARNING: the table could not be listed: ${(error as Error).message}\n`);
  }

  private notice(notice: Notice): void {
    const { output } = this.session;
    output.line(noticeLine(notice, this.line.output));
    output.flush();
  }
}
