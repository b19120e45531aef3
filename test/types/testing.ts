// Compiled, never run: a line that compiles where it must not is an unused @ts-expect-error.
import { type Clock, RequestConnection, type Transport } from '../../src/nfnetlink/index.ts';
import {
  ack,
  data,
  dump,
  later,
  ManualClock,
  type RecordedDatagram,
  Recorder,
  type Reply,
  replay,
  ScriptedTransport,
} from '../../src/testing/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const hold = <T extends true>(..._held: T[]): void => {};

// The doubles stand wherever the real ones do.
const kernel: Transport = new ScriptedTransport();
const clock: Clock = new ManualClock();
new RequestConnection(kernel, { clock });
new RequestConnection(new Recorder(kernel));
declare const records: readonly RecordedDatagram[];
hold<Equal<ReturnType<typeof replay>, ScriptedTransport>>();
new RequestConnection(replay(records));

// A script is requests as bytes and replies in order; the kernel may stay silent.
const request = new Uint8Array(20);
new ScriptedTransport().expect(request, data(request), ack()).expect(request);
new ScriptedTransport().program(({ type, seq, portId }) => {
  hold<Equal<[typeof type, typeof seq, typeof portId], [number, number, number]>>();
  return type === 1 ? [dump([request]), later(ack(2))] : undefined;
});
hold<Equal<ReturnType<typeof ack>, Reply>>();
// @ts-expect-error a reply is made, not written down
new ScriptedTransport().expect(request, request);
// @ts-expect-error a request is bytes
new ScriptedTransport().expect('00');
// @ts-expect-error errors are numbers
ack('ENOENT');
// @ts-expect-error a dump is a list of messages
dump(request);
