import { Option } from 'commander';
import { duration } from '../daemon/config/durations.ts';
import { type Reader, Refusal } from '../daemon/config/refusal.ts';
import { checkSetName } from '../ipset/setName.ts';
import { systemClock } from '../nfnetlink/clock.ts';
import { NFNLGRP } from '../nfnetlink/constants.ts';
import type { EncodeError } from '../nfnetlink/errors.ts';
import { openTransport } from '../nfnetlink/transport/select.ts';
import { CaptureOutput } from './capture/output.ts';
import { CaptureSession, type CaptureSockets, warnOfSockets } from './capture/session.ts';
import { size } from './capture/size.ts';
import { CliError, usageError } from './errors.ts';
import type { Io } from './io.ts';
import type { AddCommand } from './run.ts';
import { untilSignal } from './untilSignal.ts';

const groupsOf = {
  new: [NFNLGRP.CONNTRACK_NEW],
  update: [NFNLGRP.CONNTRACK_UPDATE],
  destroy: [NFNLGRP.CONNTRACK_DESTROY],
  expect: [NFNLGRP.CONNTRACK_EXP_NEW, NFNLGRP.CONNTRACK_EXP_UPDATE, NFNLGRP.CONNTRACK_EXP_DESTROY],
} as const;

type EventKind = keyof typeof groupsOf;
const EVENT_KINDS = Object.keys(groupsOf) as EventKind[];

/** Twelve thousand events, as the kernel accounts them: a third of a second of a very busy router. */
const DEFAULT_BUFFER = 8 << 20;
/** Events are smaller than a page. */
const EVENT_SLOT = 4096;

interface CaptureOptions {
  readonly withDump?: true;
  readonly withSets?: readonly string[];
  readonly setsInterval: number;
  readonly events?: readonly EventKind[];
  readonly duration?: number;
  readonly rotateSize?: number;
  readonly rotateKeep?: number;
  readonly buffer?: number;
}

const examples = `
FILE goes first, since --with-sets and --events take every word behind them. It is overwritten where it is there; - is
standard output. What it holds is pcapng of link type 253 (netlink), which Wireshark, tshark and resteer decode read; its
owner alone may read it. Events that the kernel has no room for are lost: the file says where and how many, and so does
the summary at the end; a larger --buffer takes longer bursts.

With --rotate-size the files are named as dumpcap names them: flows.pcapng becomes
flows_00001_20260131235959.pcapng and so on; each begins with listings of its own, which do not count.

SIGINT, SIGTERM and --duration end it: what was recorded is written, and the exit code is 0. After a SIGKILL the file
lacks the last second at most.

Examples:
  resteer capture flows.pcapng --with-dump --duration 30s
  resteer capture flows.pcapng --with-dump --with-sets app_1.v4 app_2.v4
  resteer capture flows.pcapng --events new destroy --rotate-size 10M --rotate-keep 5
  ssh router resteer capture - | wireshark -k -i -`;

/** `resteer capture`: netlink datagrams of connection tracking into a file. */
export const addCapture: AddCommand = (program, io) => {
  program
    .command('capture')
    .summary('record connection tracking and sets into a file for Wireshark')
    .description(
      'Records the netlink datagrams of connection tracking: events of flows and expectations as they come, and where ' +
        'asked for the table and sets, as a pcapng file.',
    )
    .argument('<file>', 'where to; - for standard output')
    .option('--with-dump', 'the table, as it is at the beginning')
    .option('--with-sets <name...>', 'what these sets hold, at the beginning and whenever it has changed')
    .addOption(
      option(
        '--sets-interval <duration>',
        'how often to look whether sets have changed',
        duration('100ms', '24h'),
      ).default(1000, '1s'),
    )
    .addOption(new Option('--events <kind...>', 'which events (default: all)').choices(EVENT_KINDS))
    .addOption(option('--duration <duration>', 'end after so long', duration('1ms', '999h')))
    .addOption(
      option(
        '--rotate-size <size>',
        'begin another file from this size on: 500K, 10M, 1G',
        size('64K', '1024G'),
      ),
    )
    .addOption(
      option('--rotate-keep <number>', 'delete the oldest file where there are more than this', count),
    )
    .addOption(
      option('--buffer <size>', 'receive buffer of the socket for events (default: 8M)', size('4K', '1G')),
    )
    .addHelpText('after', examples)
    .action((file: string, options: CaptureOptions) => capture(file, options, io));
};

/** An option whose value is read as those of the configuration are. */
function option<T>(flags: string, description: string, reader: Reader<T>): Option {
  return new Option(flags, description).argParser((text) => {
    try {
      return reader(text);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw usageError(`capture: ${flags.split(' ')[0]}`, `'${text}' ${error.message}`);
    }
  });
}

const MOST_FILES = 99_999;

const count: Reader<number> = (text) => {
  const number = /^\d{1,5}$/.test(String(text)) ? Number(text) : 0;
  if (number < 1) throw new Refusal(`is no number of files from 1 to ${MOST_FILES}`);
  return number;
};

async function capture(file: string, options: CaptureOptions, io: Io): Promise<void> {
  checkFile(file, options, io);
  for (const name of options.withSets ?? []) checkName(name);
  const say = (text: string) => io.stderr.write(`resteer: capture: ${text}\n`);
  const isStopped = untilSignal({ duration: options.duration });
  const sockets = await openSockets(options);
  const { output, session } = await openSession(sockets, file, options, say);
  isStopped.then(() => session.end());
  try {
    await session.untilEnd();
  } catch (error) {
    // whoever read it has seen enough
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw explained(error, output);
  } finally {
    say(summary(session, output));
  }
}

function checkFile(file: string, { rotateSize, rotateKeep }: CaptureOptions, io: Io): void {
  if (rotateKeep !== undefined && rotateSize === undefined)
    throw usageError('capture: --rotate-keep', 'there is one file only', 'add --rotate-size');
  if (file !== '-') return;
  if (rotateSize !== undefined)
    throw usageError('capture: --rotate-size', 'standard output cannot be rotated', 'name a file');
  if (io.stdout.isTTY)
    throw usageError(
      'capture',
      'standard output is a terminal',
      'name a file, or pipe it into wireshark -k -i -',
    );
}

function checkName(name: string): void {
  try {
    checkSetName(name);
  } catch (error) {
    throw usageError('capture: --with-sets', (error as EncodeError).reason);
  }
}

/** The groups are joined before anything is listed, so that nothing is missing in between. */
async function openSockets(options: CaptureOptions): Promise<CaptureSockets> {
  const { events: kinds = EVENT_KINDS, buffer: receiveBuffer = DEFAULT_BUFFER } = options;
  const groups = kinds.flatMap((kind) => groupsOf[kind]);
  const events = await openTransport({ groups, receiveBuffer, slotSize: EVENT_SLOT });
  const requests = options.withDump || options.withSets ? await openTransport() : undefined;
  return { events, requests };
}

async function openSession(
  sockets: CaptureSockets,
  file: string,
  options: CaptureOptions,
  say: (text: string) => void,
) {
  const { withDump = false, withSets = [], setsInterval, rotateSize, rotateKeep } = options;
  try {
    const output = await CaptureOutput.open({
      path: file,
      ...(rotateSize !== undefined && { rotation: { keep: rotateKeep ?? MOST_FILES } }),
      clock: systemClock,
      today: () => new Date(),
    });
    say(`recording into ${output.path}`);
    warnOfSockets(sockets, options.buffer, say);
    const session = new CaptureSession(sockets, output, {
      withTable: withDump,
      sets: withSets,
      setsIntervalMs: setsInterval,
      rotateSize,
      say,
    });
    return { output, session };
  } catch (error) {
    await Promise.all([sockets.events.close(), sockets.requests?.close()]);
    throw error;
  }
}

/** What has ended the capture, in words where it is the disk. */
function explained(error: unknown, output: CaptureOutput): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new CliError(
    `capture: ${output.path}`,
    `${syscall}: ${code}: the disk is full`,
    'what was recorded until then is whole',
  );
}

function summary({ counts }: CaptureSession, { path, files, bytes }: CaptureOutput): string {
  const { events, listed, lost, overruns } = counts;
  const number = (value: number) => value.toLocaleString('en');
  const what = [
    `${number(events)} events`,
    ...(listed > 0 ? [`${number(listed)} datagrams of listings`] : []),
  ];
  const where = files === 1 ? path : `${number(files)} files, the last ${path}`;
  const losses =
    overruns === 0
      ? 'none lost'
      : `${number(lost)} LOST in ${number(overruns)} overruns: a larger --buffer may help`;
  return `${what.join(' and ')} in ${where} (${number(bytes)} bytes), ${losses}`;
}
