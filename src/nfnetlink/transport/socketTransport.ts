import { ClosedError, type NetlinkError, type OverrunError, type TransportError } from '../errors.ts';
import type { Batch, Transport, TransportKind } from '../transport.ts';
import { Callbacks } from './callbacks.ts';

/**
 * What the transports of every runtime have in common: whether their socket is read (from the first onBatch on, but
 * not while it is paused), who hears of what, and that nothing happens any more once it is closed.
 */
export abstract class SocketTransport implements Transport {
  abstract readonly kind: TransportKind;
  abstract readonly portId: number;
  abstract readonly receiveBufferSize: number;
  truncated = 0;
  protected readonly callbacks = new Callbacks();
  #isStarted = false;
  #isPaused = false;
  #isReading = false;
  #closing: Promise<void> | undefined;

  abstract send(datagram: Uint8Array): void;
  abstract joinGroup(group: number): void;
  abstract growReceiveBuffer(bytes: number): number;
  abstract ref(): void;
  abstract unref(): void;

  /** Has the runtime call when something can be read. Throws TransportError. */
  protected abstract startReading(): void;
  /** Has it call no more. Throws TransportError. */
  protected abstract stopReading(): void;
  /** Gives everything back; resolves when that is done. */
  protected abstract release(): Promise<void>;

  onBatch(callback: (batch: Batch) => void): void {
    this.callbacks.batch = callback;
    this.#isStarted = true;
    this.follow();
  }

  onOverrun(callback: (error: OverrunError) => void): void {
    this.callbacks.overrun = callback;
  }

  onError(callback: (error: NetlinkError) => void): void {
    this.callbacks.error = callback;
  }

  pause(): void {
    this.#isPaused = true;
    this.follow();
  }

  resume(): void {
    this.#isPaused = false;
    this.follow();
  }

  close(): Promise<void> {
    this.#closing ??= this.release();
    return this.#closing;
  }

  protected get isPaused(): boolean {
    return this.#isPaused;
  }

  protected get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** @throws ClosedError */
  protected mustBeOpen(): void {
    if (this.#closing) throw new ClosedError();
  }

  /** Starts or stops reading as the state asks. */
  protected follow(): void {
    const isWanted = this.#isStarted && !this.#isPaused;
    if (this.#closing || isWanted === this.#isReading) return;
    try {
      if (isWanted) this.startReading();
      else this.stopReading();
      this.#isReading = isWanted;
    } catch (error) {
      this.fail(error as TransportError);
    }
  }

  /** The runtime has stopped to read by itself. */
  protected readingStopped(): void {
    this.#isReading = false;
  }

  /** Ends the transport, and says why. */
  protected fail(error: TransportError): void {
    if (this.#closing) return;
    void this.close();
    this.callbacks.tellError(error);
  }
}
