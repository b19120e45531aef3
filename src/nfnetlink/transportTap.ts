import type { NetlinkError, OverrunError } from './errors.ts';
import type { Batch, Transport, TransportKind } from './transport.ts';

/** Who sees what goes through a transport, before it goes on. */
export interface TapListener {
  /** A datagram to the kernel; valid during the call only. */
  onSent?(datagram: Uint8Array): void;
  /** A batch from the kernel; valid during the call only. */
  onReceived?(batch: Batch): void;
  onOverrun?(error: OverrunError): void;
}

/** A transport that shows a listener every datagram that goes through it. */
export class TransportTap implements Transport {
  readonly #inner: Transport;
  readonly #listener: TapListener;
  #isPaused = false;
  #isHeld = false;

  /** The tap owns the transport from now on, and closes it. */
  constructor(transport: Transport, listener: TapListener) {
    this.#inner = transport;
    this.#listener = listener;
  }

  get kind(): TransportKind {
    return this.#inner.kind;
  }
  get portId(): number {
    return this.#inner.portId;
  }
  get receiveBufferSize(): number {
    return this.#inner.receiveBufferSize;
  }
  get truncated(): number {
    return this.#inner.truncated;
  }

  send(datagram: Uint8Array): void {
    this.#listener.onSent?.(datagram);
    this.#inner.send(datagram);
  }

  onBatch(callback: (batch: Batch) => void): void {
    this.#inner.onBatch((batch) => {
      this.#listener.onReceived?.(batch);
      callback(batch);
    });
  }

  onOverrun(callback: (error: OverrunError) => void): void {
    this.#inner.onOverrun((error) => {
      this.#listener.onOverrun?.(error);
      callback(error);
    });
  }

  onError(callback: (error: NetlinkError) => void): void {
    this.#inner.onError(callback);
  }
  joinGroup(group: number): void {
    this.#inner.joinGroup(group);
  }
  growReceiveBuffer(bytes: number): number {
    return this.#inner.growReceiveBuffer(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#follow();
  }
  resume(): void {
    this.#isPaused = false;
    this.#follow();
  }

  /** Stops reading whatever the user of the transport asks for, until `release`. Idempotent. */
  hold(): void {
    this.#isHeld = true;
    this.#follow();
  }
  /** Ends `hold`. Idempotent. */
  release(): void {
    this.#isHeld = false;
    this.#follow();
  }

  #follow(): void {
    if (this.#isPaused || this.#isHeld) this.#inner.pause();
    else this.#inner.resume();
  }

  ref(): void {
    this.#inner.ref();
  }
  unref(): void {
    this.#inner.unref();
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}
