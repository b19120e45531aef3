import { EncodeError } from '../../nfnetlink/errors.ts';
import { isNetlinkError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { CommandLine } from './commandLine.ts';
import { countExpectations, countFlows, printExpectationStatistics, printStatistics } from './counters.ts';
import { createFlow } from './create.ts';
import { deleteFlows } from './delete.ts';
import { watchExpectations, watchFlows } from './events.ts';
import { CONNTRACK_VERSION, ConntrackExit, failure, PREFIX, STATUS } from './exit.ts';
import {
  createExpectation,
  deleteExpectation,
  flushExpectations,
  getExpectation,
  listExpectations,
} from './expectations.ts';
import { flushFlows } from './flush.ts';
import { getFlow } from './get.ts';
import { listFlows } from './list.ts';
import { loadFile } from './loadFile.ts';
import type { CommandName } from './optionTable.ts';
import { checkOwnOptions, takeOwnOptions } from './ownOptions.ts';
import { parseCommandLine } from './parse.ts';
import { operationFailed } from './refusal.ts';
import { Session } from './session.ts';
import { updateFlows } from './update.ts';
import { usageText } from './usage.ts';

/** Does what a command line says; returns how many flows that were, where they are counted. */
type Run = (line: CommandLine, session: Session) => Promise<unknown>;

interface Command {
  readonly run: Run;
  /** What is said of the count at the end. */
  readonly trailer?: string;
  readonly dryTrailer?: string;
  /** Whether a count of 0 is a success. */
  readonly mayBeNone?: true;
}

const commands: Readonly<Record<CommandName, Command>> = {
  list: { run: listFlows, trailer: 'flow entries have been shown.', mayBeNone: true },
  create: { run: createFlow, trailer: 'flow entries have been created.' },
  add: { run: createFlow, trailer: 'flow entries have been added.', mayBeNone: true },
  update: {
    run: updateFlows,
    trailer: 'flow entries have been updated.',
    dryTrailer: 'flow entries would have been updated.',
  },
  delete: {
    run: deleteFlows,
    trailer: 'flow entries have been deleted.',
    dryTrailer: 'flow entries would have been deleted.',
  },
  get: { run: getFlow, trailer: 'flow entries have been shown.' },
  flush: { run: flushFlows },
  event: { run: watchFlows },
  version: { run: printVersion },
  help: { run: printUsage },
  count: { run: countFlows },
  stats: { run: printStatistics },
  'expect-list': { run: listExpectations, trailer: 'expectations have been shown.', mayBeNone: true },
  'expect-create': { run: createExpectation },
  // conntrack(8) counts none of the expectations that it deletes, and so always ends with 1
  'expect-delete': { run: deleteExpectation, trailer: 'expectations have been shown.' },
  'expect-get': { run: getExpectation },
  'expect-flush': { run: flushExpectations },
  'expect-event': { run: watchExpectations },
  'expect-count': { run: countExpectations },
  'expect-stats': { run: printExpectationStatistics },
};

/** conntrack(8): runs a command line, without the program's name, to its end, and returns the exit code. */
export async function conntrack(args: readonly string[], io: Io): Promise<number> {
  const session = new Session(io);
  try {
    return await runCommandLine(args, session);
  } catch (error) {
    const exit = asExit(error);
    session.tell(exit.text);
    return exit.status;
  } finally {
    session.output.flush();
    await session.close();
  }
}

async function runCommandLine(args: readonly string[], session: Session): Promise<number> {
  const context = { warn: (text: string) => session.tell(text) };
  const [first, file, ...rest] = args;
  if (file !== undefined && (first === '-R' || first === '--load-file')) {
    // conntrack(8) passes over what stands behind the file
    checkOwnOptions(takeOwnOptions(rest).own);
    await loadFile(file, session, context, async (line) => void (await runLine(line, session)));
    return STATUS.DONE;
  }
  const line = parseCommandLine(args, context);
  const count = (await runLine(line, session)) ?? 0;
  if (line.command === undefined) return STATUS.DONE;
  const { trailer, dryTrailer, mayBeNone } = commands[line.command];
  if (trailer === undefined) return STATUS.DONE;
  session.tell(`${PREFIX}${count} ${(line.own.dryRun && dryTrailer) || trailer}\n`);
  return count > 0 || mayBeNone ? STATUS.DONE : STATUS.FAILED;
}

async function runLine(line: CommandLine, session: Session): Promise<number | undefined> {
  if (line.command === undefined) {
    await printUsage(line, session);
    return undefined;
  }
  try {
    const count = await commands[line.command].run(line, session);
    return typeof count === 'number' ? count : undefined;
  } catch (error) {
    throw operationFailed(error, line.command);
  }
}

async function printVersion(_line: CommandLine, { output }: Session): Promise<void> {
  output.line(`conntrack v${CONNTRACK_VERSION} (conntrack-tools)`);
}

async function printUsage(line: CommandLine, { output }: Session): Promise<void> {
  output.text(usageText(line));
}

function asExit(error: unknown): ConntrackExit {
  if (error instanceof ConntrackExit) return error;
  if (error instanceof EncodeError || isNetlinkError(error)) return failure(error.message);
  throw error;
}
