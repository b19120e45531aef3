import { IPCTNL_MSG_EXP } from '../../ctnetlink/constants.ts';
import {
  decodeExpectation,
  type Expectation,
  encodeFlushExpectations,
  encodeListExpectations,
} from '../../ctnetlink/expectation.ts';
import { expectationAttributes } from '../../ctnetlink/expectationAttributes.ts';
import { hasPorts } from '../../ctnetlink/protocol.ts';
import type { Tuple } from '../../ctnetlink/tuple.ts';
import { formatAddress } from '../../nfnetlink/address.ts';
import { AF, NFNL_SUBSYS, NLM_F } from '../../nfnetlink/constants.ts';
import { encodeRequest, messageTypeOf } from '../../nfnetlink/message.ts';
import type { CommandLine } from './commandLine.ts';
import { type TupleDraft, tupleOf } from './draft.ts';
import { PREFIX } from './exit.ts';
import { type ExpectationEventKind, expectationText, expectationXml } from './expectationText.ts';
import { XML_HEADER } from './flowXml.ts';
import { timeOfDay } from './printer.ts';
import type { Session } from './session.ts';

function request(command: number, family: number, flags: number, value: Partial<Expectation>): Uint8Array {
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK_EXP, command);
  const header = { type, flags: NLM_F.REQUEST | NLM_F.ACK | flags, family };
  return encodeRequest(header, expectationAttributes, value);
}

/** Prints expectations as a command line wants them. */
export class ExpectationPrinter {
  private readonly line: CommandLine;
  private readonly output: Session['output'];
  private isDocumentBegun = false;

  constructor(line: CommandLine, { output }: Session) {
    this.line = line;
    this.output = output;
  }

  print(expectation: Expectation, event?: ExpectationEventKind): void {
    const { output, line } = this;
    const withTime = line.output.has('timestamp');
    if (line.output.has('json')) output.line(expectationJson(expectation, event));
    else if (line.output.has('xml')) {
      if (!this.isDocumentBegun) output.text(`${XML_HEADER}<expect>\n`);
      this.isDocumentBegun = true;
      output.line(expectationXml(expectation, event, withTime));
    } else {
      const time = withTime ? timeOfDay(8, 6, ' ', true) : '';
      output.line(time + expectationText(expectation, event));
    }
  }

  endDocument(): void {
    if (this.isDocumentBegun) this.output.text('</expect>\n');
  }
}

function expectationJson(expectation: Expectation, event: ExpectationEventKind | undefined): string {
  const { family, tuple, mask, masterTuple, timeout, id, flags, zone, helperName } = expectation;
  return JSON.stringify({
    event,
    family: family === AF.INET6 ? 'ipv6' : 'ipv4',
    ...{ tuple, mask, master: masterTuple, timeout, id, flags, zone, class: expectation.class },
    helper: helperName,
  });
}

/** -L expect. */
export async function listExpectations(line: CommandLine, session: Session): Promise<number> {
  const printer = new ExpectationPrinter(line, session);
  let shown = 0;
  const requester = await session.questions;
  await requester.visit(encodeListExpectations(), (bytes, start, end) => {
    const expectation = decodeExpectation(bytes, start, end);
    if (expectation.family !== line.family) return;
    printer.print(expectation);
    shown++;
  });
  printer.endDocument();
  await session.output.drained();
  return shown;
}

/** -G expect: by the tuple of the flow that announced it. */
export async function getExpectation(line: CommandLine, session: Session): Promise<void> {
  const printer = new ExpectationPrinter(line, session);
  const masterTuple = tupleOf(line.draft, 'original');
  const requester = await session.questions;
  await requester.query(request(IPCTNL_MSG_EXP.GET, line.family, 0, { masterTuple }), (bytes, start, end) =>
    printer.print(decodeExpectation(bytes, start, end)),
  );
}

/** -I expect. */
export async function createExpectation(line: CommandLine, session: Session): Promise<void> {
  const { draft, expected, mask, family, protocol } = line;
  const message = request(IPCTNL_MSG_EXP.NEW, family, NLM_F.CREATE | NLM_F.EXCL, {
    masterTuple: tupleOf(draft, 'original'),
    tuple: expectedTuple(expected, family, protocol?.number ?? 0),
    mask: expectedTuple(mask, family, protocol?.number ?? 0),
    timeout: draft.timeout,
  });
  await (await session.questions).acknowledge(message);
}

function expectedTuple(tuple: TupleDraft, family: number, protocol: number): Tuple {
  const none = new Uint8Array(family === AF.INET6 ? 16 : 4);
  const ports = { sourcePort: tuple.sourcePort ?? 0, destinationPort: tuple.destinationPort ?? 0 };
  return {
    source: formatAddress(tuple.source ?? none),
    destination: formatAddress(tuple.destination ?? none),
    protocol,
    ...(hasPorts(protocol) && ports),
  };
}

/** -D expect: by the tuple of the flow that is waited for. */
export async function deleteExpectation(line: CommandLine, session: Session): Promise<void> {
  const tuple = tupleOf(line.draft, 'original');
  // without a tuple the message would delete every expectation
  if (tuple === undefined) return;
  await (await session.questions).acknowledge(request(IPCTNL_MSG_EXP.DELETE, line.family, 0, { tuple }));
}

/** -F expect. */
export async function flushExpectations(_line: CommandLine, session: Session): Promise<void> {
  await (await session.questions).acknowledge(encodeFlushExpectations());
  session.tell(`${PREFIX}expectation table has been emptied.\n`);
}
