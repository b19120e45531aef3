import { readFileSync } from 'node:fs';
import { machine, release } from 'node:os';
import { ctnetlink, ctnetlinkExp } from '../../ctnetlink/subsystem.ts';
import { IpsetReader, ipset } from '../../ipset/index.ts';
import { systemClock } from '../../nfnetlink/clock.ts';
import { RequestConnection } from '../../nfnetlink/connection.ts';
import { NETLINK } from '../../nfnetlink/constants.ts';
import { EventSubscription } from '../../nfnetlink/subscription.ts';
import { socketAt } from '../../nfnetlink/transport/procNetlink.ts';
import type { Transport } from '../../nfnetlink/transport.ts';
import { TransportTap } from '../../nfnetlink/transportTap.ts';
import { version } from '../version.ts';
import { Listings } from './listings.ts';
import type { CaptureOutput } from './output.ts';
import { Recording, type RecordingCounts } from './recording.ts';
import { WallClock } from './wallClock.ts';

/** Nothing has come for so long: the socket is empty. The pauses that save work are shorter. */
const QUIET_MS = 20;
/** Where events never cease, what was in the socket when the end was called for is read by then. */
const LONGEST_DRAIN_MS = 1000;

/** The sockets of a capture; it owns them from now on, and closes them. */
export interface CaptureSockets {
  /** Has joined its groups. */
  readonly events: Transport;
  /** Where there is something to list. */
  readonly requests: Transport | undefined;
}

export interface SessionOptions {
  readonly withTable: boolean;
  readonly sets: readonly string[];
  readonly setsIntervalMs: number;
  readonly rotateSize: number | undefined;
  /** Says something on standard error. */
  readonly say: (text: string) => void;
}

/** One capture: what its sockets hear goes into its output, until it is told to stop or cannot go on. */
export class CaptureSession {
  readonly #events: TransportTap;
  readonly #subscription: EventSubscription;
  readonly #requests: TransportTap | undefined;
  readonly #connection: RequestConnection | undefined;
  readonly #listings: Listings | undefined;
  readonly #recording: Recording;
  readonly #output: CaptureOutput;
  readonly #ended: Promise<void>;
  /** Ends the capture; with an error where it cannot go on. The first call counts. */
  readonly end: (error?: unknown) => void;

  constructor(sockets: CaptureSockets, output: CaptureOutput, options: SessionOptions) {
    let resolve!: () => void;
    let reject!: (error: unknown) => void;
    this.#ended = new Promise((resolved, rejected) => {
      resolve = resolved;
      reject = rejected;
    });
    // who awaits it may not have come to that yet
    this.#ended.catch(() => {});
    this.end = (error) => (error === undefined ? resolve() : reject(error));

    const { withTable, sets, rotateSize } = options;
    this.#output = output;
    this.#recording = new Recording({
      output,
      origin: {
        hardware: machine(),
        os: `Linux ${release()}`,
        application: `resteer ${version}`,
        interfaceName: 'netfilter',
        interfaceDescription: 'netlink of connection tracking and ipset',
      },
      clock: systemClock,
      time: new WallClock(() => performance.now(), Date.now),
      ...(rotateSize !== undefined && { rotateSize }),
      lostEvents: () => this.#lostEvents(),
      onNewFile: () => (this.#listings ? this.#listings.beginFile() : this.#recording.limitFile()),
    });
    if (sockets.requests) {
      const { onSent, onReceived } = this.#recording.listings;
      this.#requests = new TransportTap(sockets.requests, {
        onSent: (datagram) => this.#listings?.isRecording && onSent?.(datagram),
        onReceived: (batch) => this.#listings?.isRecording && onReceived?.(batch),
      });
      this.#connection = new RequestConnection(this.#requests, {
        subsystems: [ctnetlink, ctnetlinkExp, ipset],
      });
      this.#listings = new Listings({
        requester: this.#connection,
        ipset: new IpsetReader(this.#connection),
        withTable,
        sets,
        intervalMs: options.setsIntervalMs,
        clock: systemClock,
        onBegun: () => this.#recording.limitFile(),
        onMissing: (name) => options.say(`there is no set ${name}: it is recorded when it is made`),
      });
    } else this.#recording.limitFile();
    output.listen({
      onFull: (isFull) => {
        for (const tap of [this.#events, this.#requests]) {
          if (isFull) tap?.hold();
          else tap?.release();
        }
      },
      onFailed: this.end,
    });
    this.#events = new TransportTap(sockets.events, this.#recording.events);
    this.#subscription = new EventSubscription(this.#events, {
      // the datagram was recorded as it was
      onMessage: () => {},
      // counted and noted in the file
      onOverrun: () => {},
      onError: this.end,
    });
    this.#listings?.run().catch(this.end);
  }

  /** What was recorded until now. */
  get counts(): Readonly<RecordingCounts> {
    return this.#recording.counts;
  }

  /**
   * Resolves when all is written and closed.
   * @throws what has ended the capture, when everything else is written and closed
   */
  async untilEnd(): Promise<void> {
    try {
      await this.#ended;
      await this.#drain();
    } finally {
      this.#listings?.stop();
      this.#events.hold();
      this.#recording.end();
      await Promise.all([this.#subscription.close(), this.#connection?.close()]);
      await this.#output.close();
    }
  }

  /** Reads what is in the socket. */
  async #drain(): Promise<void> {
    const limit = systemClock.now() + LONGEST_DRAIN_MS;
    for (let before = -1; before !== this.counts.events && systemClock.now() < limit; ) {
      before = this.counts.events;
      await new Promise<void>((resolve) => systemClock.after(QUIET_MS, resolve));
    }
  }

  /** The kernel's count for the socket, and what was read and did not fit. */
  #lostEvents(): number | undefined {
    try {
      const listed = socketAt(NETLINK.NETFILTER, this.#events.portId);
      return listed && listed.drops + this.#events.truncated;
    } catch {
      return undefined; // no /proc here
    }
  }
}

/** Says what else the user should know of the sockets. */
export function warnOfSockets(
  { events }: CaptureSockets,
  buffer: number | undefined,
  say: (text: string) => void,
): void {
  if (buffer !== undefined && events.receiveBufferSize < 2 * buffer) {
    const granted = events.receiveBufferSize / 2;
    say(`--buffer: the kernel grants no more than ${granted} bytes: raise net.core.rmem_max`);
  }
  try {
    if (readFileSync('/proc/sys/net/netfilter/nf_conntrack_events', 'latin1').trim() !== '0') return;
    say('the kernel sends no events: sysctl -w net.netfilter.nf_conntrack_events=1');
  } catch {
    // connection tracking is not loaded: the first rule that needs it does that
  }
}
