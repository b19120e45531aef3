import { openConntrackEvents } from '../../ctnetlink/events.ts';
import type { EventKind, FlowView } from '../../ctnetlink/flowView.ts';
import type { TransportError } from '../../nfnetlink/errors.ts';
import { isNetlinkError } from '../errors.ts';
import type { CommandLine } from './commandLine.ts';
import { failure, PREFIX } from './exit.ts';
import { ExpectationLedger } from './expectationLedger.ts';
import { ExpectationPrinter } from './expectations.ts';
import { FlowLedger } from './flowLedger.ts';
import { Printer } from './printer.ts';
import { programOfPort } from './programOfPort.ts';
import { selectFlows } from './selection.ts';
import type { Session } from './session.ts';
import { Watch } from './watch.ts';

const everyKind: readonly EventKind[] = ['new', 'update', 'destroy'];

/** -E: prints flow events until a signal ends it. */
export async function watchFlows(line: CommandLine, session: Session): Promise<void> {
  const { output } = session;
  const selection = selectFlows(line, session.features);
  const printer = new Printer(line, output, { kernelTimestamp: true, labels: true, isDocument: true });
  const kinds = line.options.has('e') ? line.eventKinds : everyKind;
  const isJson = line.output.has('json');
  let shown = 0;
  const print = (view: FlowView, kind: EventKind, portId = 0) => {
    const program = portId === 0 ? undefined : programOfPort(portId);
    const note = portId === 0 || isJson ? undefined : userspaceNote(portId, program);
    printer.print(view, { kind, portId, program }, note);
    shown++;
  };
  const ledger = new FlowLedger({ selection, kinds, print });
  const { told } = ledger;
  // who hears of no ends keeps flows that are gone: a comparison makes room, once it is needed
  let mayMakeRoom = !kinds.includes('destroy');
  const watch = new Watch(session, line, ledger, {
    describe: () => {
      mayMakeRoom &&= !told.isFull;
      return { ...ledger.counts, ...(told.unremembered > 0 && { unremembered: told.unremembered }) };
    },
  });
  const events = await listening(session, {
    kinds,
    ...(line.bufferSize !== undefined && { receiveBuffer: line.bufferSize }),
    onView(view) {
      watch.took();
      if (watch.mustDrop()) return;
      const { kind } = view;
      const isMeant = selection.matches(view);
      // whoever was told of and has come to be no concern of the reader ends unheard
      if (!isMeant && kind !== 'destroy') return;
      if (told.take(view) && isMeant) print(view, kind, view.portId);
      if (mayMakeRoom && told.isFull) watch.heal();
    },
    onOverrun: () => watch.overrun(),
  });
  if (line.bufferSize !== undefined) {
    const granted = events.subscription.receiveBufferSize;
    session.tell(`NOTICE: Netlink socket buffer size has been set to ${granted} bytes.\n`);
  }
  await watch.run(events);
  printer.endDocument('conntrack');
  session.tell(`${PREFIX}${shown} flow events have been shown.\n`);
}

/** -E expect. */
export async function watchExpectations(line: CommandLine, session: Session): Promise<void> {
  const printer = new ExpectationPrinter(line, session);
  let shown = 0;
  const ledger = new ExpectationLedger((expectation, kind) => {
    printer.print(expectation, kind);
    shown++;
  });
  const watch = new Watch(session, line, ledger, { describe: () => ledger.counts });
  const events = await listening(session, {
    onExpectation({ kind, expectation }) {
      watch.took();
      if (watch.mustDrop()) return;
      if (ledger.take(expectation, kind)) ledger.print(expectation, kind);
    },
    onOverrun: () => watch.overrun(),
  });
  await watch.run(events);
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
