import { fromHex, toHex } from '../nfnetlink/bytes.ts';
import { messageSeq } from '../nfnetlink/message.ts';
import type { Transport } from '../nfnetlink/transport.ts';
import { TransportTap } from '../nfnetlink/transportTap.ts';
import { messagesOf, overrun, type Reply, raw, readdressed } from './replies.ts';
import { ScriptedTransport, type ScriptOptions } from './scriptedTransport.ts';

/** What went over a transport, in order. An overrun has no bytes. */
export interface RecordedDatagram {
  readonly direction: 'sent' | 'received' | 'overrun';
  readonly bytes: Uint8Array;
}

/** A transport that keeps a copy of every datagram that goes through it. */
export class Recorder extends TransportTap {
  readonly records: RecordedDatagram[];

  constructor(transport: Transport) {
    const records: RecordedDatagram[] = [];
    super(transport, {
      onSent: (datagram) => records.push({ direction: 'sent', bytes: datagram.slice() }),
      onReceived: ({ buffer, bounds, count }) => {
        for (let i = 0; i < count; i++) {
          const bytes = buffer.slice(bounds[2 * i], bounds[2 * i + 1]);
          records.push({ direction: 'received', bytes });
        }
      },
      onOverrun: () => records.push({ direction: 'overrun', bytes: new Uint8Array() }),
    });
    this.records = records;
  }
}

const marks = { sent: '>', received: '<', overrun: '!' } as const;

/** A recording as text, to keep in a file: a line a datagram, `>` sent or `<` received and its bytes. */
export function formatRecording(records: readonly RecordedDatagram[]): string {
  return records.map(({ direction, bytes }) => `${marks[direction]} ${toHex(bytes)}`.trimEnd()).join('\n');
}

/**
 * The recording in such a text; empty lines and those that begin with # are left out.
 * @throws SyntaxError with the number of a line that is neither
 */
export function parseRecording(text: string): RecordedDatagram[] {
  const records: RecordedDatagram[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const direction = (['sent', 'received', 'overrun'] as const).find((name) => line.startsWith(marks[name]));
    const bytes = fromHex(line.slice(1));
    if (!direction || !bytes) throw new SyntaxError(`line ${i + 1} is no recorded datagram: ${line}`);
    records.push({ direction, bytes });
  }
  return records;
}

/**
 * A kernel that answers as it did in a recording: each sent message is expected, in order, and gets the
 * answers that carried its sequence number. Events and overruns come after the request before them.
 */
export function replay(records: readonly RecordedDatagram[], options: ScriptOptions = {}): ScriptedTransport {
  const kernel = new ScriptedTransport(options);
  const script: { message: Uint8Array; replies: Reply[] }[] = [];
  const bySeq = new Map<number, Reply[]>();
  for (const { direction, bytes } of records) {
    if (direction === 'sent') {
      for (const message of messagesOf(bytes)) {
        const replies: Reply[] = [];
        script.push({ message, replies });
        bySeq.set(messageSeq(message, 0), replies);
      }
      continue;
    }
    const answer: Reply =
      direction === 'overrun'
        ? overrun()
        : (request) => [{ kind: 'datagram', bytes: readdressed(bytes, request) }];
    const asked = direction === 'received' ? bySeq.get(messageSeq(bytes, 0)) : undefined;
    const target = asked ?? script.at(-1)?.replies;
    if (target) target.push(asked || direction === 'overrun' ? answer : raw(bytes));
    else kernel.emit(bytes);
  }
  for (const { message, replies } of script) kernel.expect(message, ...replies);
  return kernel;
}
