/** `resteer capture` as a process in the namespace of the test, and what is in its file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CaptureReader } from '../../src/capture/index.ts';
import { decodeFlow } from '../../src/ctnetlink/client.ts';
import { IPCTNL_MSG_CT } from '../../src/ctnetlink/constants.ts';
import type { Flow } from '../../src/ctnetlink/flow.ts';
import { decodeListing } from '../../src/ipset/listing.ts';
import { NFNL_SUBSYS, NLM_F } from '../../src/nfnetlink/constants.ts';
import {
  commandOf,
  messageFlags,
  messageType,
  subsystemOf,
  walkMessages,
} from '../../src/nfnetlink/message.ts';
import { until } from './waiting.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class CaptureProcess {
  readonly child: ChildProcess;
  errors = '';

  /** Starts it and returns when it records. @param stdout for a capture into standard output */
  static async start(args: readonly string[], stdout?: 'pipe'): Promise<CaptureProcess> {
    const capture = new CaptureProcess(args, stdout);
    await until(
      `it records: ${capture.errors}`,
      () => !capture.isRunning || capture.errors.includes('recording into'),
    );
    return capture;
  }

  private constructor(args: readonly string[], stdout: 'pipe' | 'ignore' = 'ignore') {
    this.child = spawn(process.execPath, [...process.execArgv, main, 'capture', ...args], {
      stdio: ['ignore', stdout, 'pipe'],
    });
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
    this.child.stderr!.setEncoding('utf8').on('data', (text) => {
      this.errors += text;
    });
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Its exit code, once it has ended and all that it said is here. */
  async ended(): Promise<number | null> {
    if (this.isRunning || !this.child.stderr!.readableEnded) await once(this.child, 'close');
    return this.child.exitCode;
  }

  /** Ends it as a user does, and gives its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended();
  }
}

/** A message about a flow: one of a listing of the table, or an event. */
export interface RecordedFlow {
  readonly time: bigint;
  readonly kind: 'listed' | 'new' | 'update' | 'destroy';
  readonly flow: Flow;
}

/** One message of a listing of a set; the addresses that it holds. */
export interface RecordedSet {
  readonly name: string;
  readonly addresses: readonly string[];
}

export interface Recorded {
  readonly flows: readonly RecordedFlow[];
  readonly sets: readonly RecordedSet[];
  readonly datagrams: number;
  readonly lost: number;
  readonly comments: readonly string[];
  readonly isCut: boolean;
}

/** What a capture file holds; of one that is not there yet, nothing. */
export function recorded(path: string): Recorded {
  const reader = new CaptureReader();
  const flows: RecordedFlow[] = [];
  const sets: RecordedSet[] = [];
  const comments: string[] = [];
  const file = existsSync(path) ? readFileSync(path) : new Uint8Array(0);
  for (const { bytes, time, comments: noted } of reader.push(file)) {
    comments.push(...noted);
    walkMessages(bytes, 0, bytes.length, (source, start, end) => {
      const type = messageType(source, start);
      const isRequest = (messageFlags(source, start) & NLM_F.REQUEST) !== 0;
      if (isRequest) return;
      if (subsystemOf(type) === NFNL_SUBSYS.CTNETLINK)
        flows.push({ time: time!, kind: kindOf(source, start), flow: decodeFlow(source, start, end) });
      else if (subsystemOf(type) === NFNL_SUBSYS.IPSET) sets.push(setOf(source, start, end));
    });
  }
  if (file.length > 0) reader.end();
  const { datagrams, lost, cut } = reader.totals;
  return { flows, sets, datagrams, lost, comments, isCut: cut !== undefined };
}

function kindOf(bytes: Uint8Array, start: number): RecordedFlow['kind'] {
  const flags = messageFlags(bytes, start);
  if (flags & NLM_F.MULTI) return 'listed';
  if (commandOf(messageType(bytes, start)) === IPCTNL_MSG_CT.DELETE) return 'destroy';
  return flags & NLM_F.CREATE ? 'new' : 'update';
}

function setOf(bytes: Uint8Array, start: number, end: number): RecordedSet {
  const { header, elements } = decodeListing(bytes, start, end);
  return { name: header?.name ?? '', addresses: elements.map(({ ip }) => ip ?? '').sort() };
}
