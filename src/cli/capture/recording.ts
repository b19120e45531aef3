import { type CaptureOrigin, CaptureWriter, type DatagramNote } from '../../capture/index.ts';
import type { Clock, Timer } from '../../nfnetlink/clock.ts';
import { NETLINK } from '../../nfnetlink/constants.ts';
import type { TapListener } from '../../nfnetlink/transportTap.ts';
import type { CaptureOutput } from './output.ts';
import type { WallClock } from './wallClock.ts';

/** Written at once; more than what the events of a second are on most routers. */
const PIECE = 1 << 18;
/** A capture that is looked at while it grows is not further behind than this. */
const FLUSH_MS = 1000;

export interface RecordingParts {
  readonly output: CaptureOutput;
  readonly origin: CaptureOrigin;
  readonly clock: Clock;
  readonly time: WallClock;
  /** Bytes from which on another file is begun. */
  readonly rotateSize?: number;
  /** Datagrams of events that were lost up to now; undefined where nobody can tell. */
  readonly lostEvents: () => number | undefined;
  /** A file was begun, other than the first. */
  readonly onNewFile: () => void;
}

/** What has been recorded. */
export interface RecordingCounts {
  events: number;
  /** Datagrams of listings and of the requests for them. */
  listed: number;
  lost: number;
  /** Times that the kernel said that it had lost events. */
  overruns: number;
}

/**
 * What goes into the file: each datagram as it is read, with its time; and before the first that comes after a
 * loss, how many are missing, in words and as Wireshark counts them.
 */
export class Recording {
  readonly counts: RecordingCounts = { events: 0, listed: 0, lost: 0, overruns: 0 };
  readonly #parts: RecordingParts;
  readonly #writer = new CaptureWriter(2 * PIECE);
  /** Memory that was written and is free. */
  readonly #spare: Uint8Array[] = [];
  #fileLength = 0;
  #rotateAt = Number.POSITIVE_INFINITY;
  #flushTimer: Timer | undefined;
  /** Losses that no block tells of yet; and whether more of the same may have happened meanwhile. */
  #untold: DatagramNote | undefined;
  #isLosing = false;

  constructor(parts: RecordingParts) {
    this.#parts = parts;
    this.#begin();
    // so that whoever reads along knows what it is, and a capture that hears nothing is a file too
    this.#flush();
  }

  /** For the socket of events. */
  readonly events: TapListener = {
    onReceived: ({ buffer, bounds, count }) => {
      this.#setTime();
      for (let i = 0; i < count; i++) {
        this.#add(buffer, bounds[2 * i]!, bounds[2 * i + 1]!);
        this.counts.events += 1;
      }
    },
    onOverrun: () => {
      this.counts.overruns += 1;
      this.#isLosing = true;
      this.#countLosses(1);
    },
  };

  /** For the socket of listings, while what goes over it is to be recorded. */
  readonly listings: TapListener = {
    onSent: (datagram) => {
      this.#setTime();
      this.#add(datagram, 0, datagram.length);
      this.counts.listed += 1;
    },
    onReceived: ({ buffer, bounds, count }) => {
      this.#setTime();
      for (let i = 0; i < count; i++) {
        this.#add(buffer, bounds[2 * i]!, bounds[2 * i + 1]!);
        this.counts.listed += 1;
      }
    },
  };

  /** The file's size counts from here on: after the listings that it begins with. */
  limitFile(): void {
    const { rotateSize } = this.#parts;
    if (rotateSize !== undefined) this.#rotateAt = this.#fileLength + rotateSize;
  }

  /** Ends the file. */
  end(): void {
    this.#flushTimer?.cancel();
    if (this.#isLosing) this.#countLosses(0);
    this.#endFile();
  }

  #begin(): void {
    const start = this.#writer.length;
    this.#writer.begin(this.#parts.origin);
    this.#fileLength = this.#writer.length - start;
    this.#rotateAt = Number.POSITIVE_INFINITY;
  }

  #add(bytes: Uint8Array, start: number, end: number): void {
    if (this.#fileLength >= this.#rotateAt) this.#rotate();
    const before = this.#writer.length;
    this.#writer.datagram(NETLINK.NETFILTER, bytes, start, end, this.#untold);
    this.#untold = undefined;
    this.#fileLength += this.#writer.length - before;
    this.#flushTimer ??= this.#parts.clock.after(FLUSH_MS, () => this.#flushLate());
    if (this.#writer.length >= PIECE) this.#flush();
  }

  #rotate(): void {
    this.#endFile();
    this.#parts.output.rotate();
    this.#begin();
    this.#parts.onNewFile();
  }

  #endFile(): void {
    const { events: received, lost: dropped } = this.counts;
    this.#setTime();
    this.#writer.statistics({ received, dropped });
    this.#flush();
  }

  #setTime(): void {
    const now = this.#parts.time.now();
    const seconds = Math.floor(now / 1000);
    this.#writer.setTime(seconds, Math.floor((now - seconds * 1000) * 1e6));
  }

  #flushLate(): void {
    this.#flushTimer = undefined;
    this.#parts.time.adjust();
    if (this.#isLosing) this.#isLosing = this.#countLosses(0);
    this.#flush();
  }

  #flush(): void {
    if (this.#writer.length === 0) return;
    const piece = this.#writer.take(this.#spare.pop() ?? new Uint8Array(2 * PIECE));
    this.#parts.output.write(piece, () => this.#spare.push(new Uint8Array(piece.buffer)));
  }

  /**
   * Whether there are more losses than before; the next block tells of them.
   * @param least how many there are at least, where nobody can tell
   */
  #countLosses(least: number): boolean {
    const known = this.#parts.lostEvents();
    const lost = known === undefined ? least : known - this.counts.lost;
    if (lost <= 0) return false;
    this.counts.lost += lost;
    const untold = (this.#untold?.lost ?? 0) + lost;
    const atLeast = known === undefined ? 'at least ' : '';
    const comment = `${atLeast}${untold} datagrams are missing before this one: the receive buffer was full`;
    this.#untold = { lost: untold, comment };
    return true;
  }
}
