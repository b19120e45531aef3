import { openConntrackEvents } from '../../ctnetlink/events.ts';
import type { FlowView } from '../../ctnetlink/flowView.ts';
import { AF } from '../../nfnetlink/constants.ts';
import type { TransportError } from '../../nfnetlink/errors.ts';
import { isNetlinkError } from '../errors.ts';
import type { CommandLine } from './commandLine.ts';
import { failure, PREFIX } from './exit.ts';
import { ExpectationPrinter } from './expectations.ts';
import { Printer } from './printer.ts';
import { programOfPort } from './programOfPort.ts';
import { selectFlows } from './selection.ts';
import type { Session } from './session.ts';

const OVERRUN =
  'WARNING: We have hit ENOBUFS! We are losing events.\n' +
  'This message means that the current netlink socket buffer size is too small.\n' +
  'Please, check --buffer-size in conntrack(8) manpage.\n';

/** -E: prints flow events until a signal ends it. */
export async function watchFlows(line: CommandLine, session: Session): Promise<void> {
  const { output } = session;
  const { matches } = selectFlows(line, session.features);
  const printer = new Printer(line, output, { kernelTimestamp: true, labels: true, isDocument: true });
  const flush = flushSoon(session);
  let shown = 0;
  const isJson = line.output.has('json');
  const print = (view: FlowView, kind: FlowView['kind']) => {
    const { portId } = view;
    const program = portId === 0 ? undefined : programOfPort(portId);
    const note = portId === 0 || isJson ? undefined : userspaceNote(portId, program);
    printer.print(view, { kind, portId, program }, note);
    shown++;
    flush();
  };
  const events = await listening(session, {
    ...(line.options.has('e') && { kinds: line.eventKinds }),
    ...(line.bufferSize !== undefined && { receiveBuffer: line.bufferSize }),
    onView(view) {
      if ((line.family === AF.UNSPEC || view.family === line.family) && matches(view)) print(view, view.kind);
    },
    onOverrun() {
      if (isJson) output.line(JSON.stringify({ event: 'overrun', time: new Date().toISOString() }));
      session.tell(OVERRUN);
    },
  });
  if (line.bufferSize !== undefined) {
    const granted = events.subscription.receiveBufferSize;
    session.tell(`NOTICE: Netlink socket buffer size has been set to ${granted} bytes.\n`);
  }
  try {
    await untilSignal();
  } finally {
    await events.close();
  }
  printer.endDocument('conntrack');
  session.tell(`${PREFIX}${shown} flow events have been shown.\n`);
}

/** -E expect. */
export async function watchExpectations(line: CommandLine, session: Session): Promise<void> {
  const printer = new ExpectationPrinter(line, session);
  const flush = flushSoon(session);
  let shown = 0;
  const events = await listening(session, {
    onExpectation({ kind, expectation }) {
      printer.print(expectation, kind);
      shown++;
      flush();
    },
    onOverrun: () => session.tell(OVERRUN),
  });
  try {
    await untilSignal();
  } finally {
    await events.close();
  }
  printer.endDocument();
  session.tell(`${PREFIX}${shown} expectation events have been shown.\n`);
}

async function listening(session: Session, options: Parameters<typeof openConntrackEvents>[0]) {
  try {
    return await openConntrackEvents(options);
  } catch (error) {
    if (!isNetlinkError(error) || error.kind !== 'transport') throw error;
    const denied = (error as TransportError).code === 'EPERM';
    session.tell(`mnl_socket_bind: ${denied ? 'Operation not permitted' : error.message}\n`);
    throw failure("Can't open netlink socket");
  }
}

function userspaceNote(portId: number, program: string | undefined): string {
  const name = program === undefined ? '' : ` progname=${program}`;
  return ` [USERSPACE] portid=${portId}${name}`;
}

/** Writes what was printed once the events that are here have been: not each by itself, and not late. */
function flushSoon(session: Session): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      session.output.flush();
    });
  };
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      process.off('SIGINT', end).off('SIGTERM', end);
      resolve();
    };
    process.on('SIGINT', end).on('SIGTERM', end);
  });
}
