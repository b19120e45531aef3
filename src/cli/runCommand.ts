import { Option } from 'commander';
import { DEFAULT_CONTROL_PATH } from '../daemon/controlClient.ts';
import { ControlError, ControlServer } from '../daemon/controlServer.ts';
import { Daemon } from '../daemon/daemon.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel, openLog } from '../daemon/log.ts';
import { LogQueue } from '../daemon/logQueue.ts';
import type { Mwan3Follower } from '../daemon/mwan3/follow.ts';
import type { Plan } from '../daemon/plan.ts';
import { systemSockets } from '../daemon/sockets.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import type { Tell } from '../daemon/tell.ts';
import { systemClock } from '../nfnetlink/clock.ts';
import { addSourceOptions, type LoadedPlan, loadSource, type PlanSource } from './configuration.ts';
import { CliError, usageError } from './errors.ts';
import type { Io } from './io.ts';
import type { AddCommand } from './run.ts';
import { keepYoungSpaceSmall } from './youngSpace.ts';

interface RunOptions extends PlanSource {
  readonly dryRun?: true;
  readonly logFormat: LogFormat;
  readonly logLevel?: LogLevel;
  readonly control: string;
}

const examples = `
Signals: SIGHUP reads the configuration again (a bad one is refused and the old one kept); SIGTERM and SIGINT stop.

Examples:
  resteer run
  resteer run --mwan3
  resteer run --dry-run --log-format json | jq 'select(.event == "reset")'
  resteer run --config ./resteer.json --control ./resteer.sock`;

/** `resteer run`: the daemon, in the foreground. */
export const addRun: AddCommand = (program, io) => {
  const command = program
    .command('run')
    .summary('the daemon, in the foreground')
    .description(
      'Watches connection tracking and resets flows that are on the wrong uplink, until it is stopped.',
    );
  addSourceOptions(command)
    .option('-n, --dry-run', 'say what would be reset, reset nothing')
    .addOption(
      new Option('--log-format <format>', 'one line an event').choices(['text', 'json']).default('text'),
    )
    .addOption(
      new Option('--log-level <level>', 'the least that is said (default: "info")').choices([...LOG_LEVELS]),
    )
    .option('--control <path>', 'control socket', DEFAULT_CONTROL_PATH)
    .addHelpText('after', examples)
    .action((options: RunOptions) => runDaemon(options, io));
};

/** Runs until SIGTERM or SIGINT; resolves when everything is closed. */
async function runDaemon(options: RunOptions, io: Io): Promise<void> {
  keepYoungSpaceSmall();
  const loaded = await loadSource(options);
  const level = options.logLevel ?? loaded.settings?.logLevel ?? 'info';
  const log = new LogQueue(io.stdout, systemClock.nextTurn);
  const tell = openLog(options.logFormat, level, log);
  // an error that nobody catches ends the process on the spot: what was said before it is wanted most then
  const flush = () => log.flush();
  process.on('exit', flush);
  const ended = Promise.race([stopSignal(), readerGone(io)]);
  // it may come while the daemon starts: then it is looked at once there is one
  ended.catch(() => {});
  let daemon: Daemon | undefined;
  const running = () => {
    if (!daemon) throw new Error('the daemon is starting: ask again in a moment');
    return daemon;
  };
  // a signal while it starts would end the process, so it is kept until there is a daemon
  let hungUp = false;
  const onHangup = () => {
    if (daemon) void reloadNow();
    else hungUp = true;
  };
  process.on('SIGHUP', onHangup);
  const follower: Mwan3Follower | undefined =
    loaded.settings &&
    (await import('./mwan3Pause.ts')).followMwan3({
      root: options.root ?? '/',
      settleMs: loaded.settings.settleMs,
      running,
      reloadNow: () => reloadNow(),
      tell,
    });
  const reloadNow = (): Promise<Reloaded> => reload(running(), options, tell, follower);
  const control = await openControl(options.control, {
    status: () => running().status(),
    explain: (request) => running().explain(request),
    sweep: async () => (await running().sweep()) ?? { failed: true },
    reload: reloadNow,
    pause: () => void running().pause(),
    resume: () => void running().resume(),
  });
  try {
    const starting = Daemon.start({
      plan: accept(loaded, options, tell, follower),
      sockets: systemSockets,
      clock: systemClock,
      wallNow: Date.now,
      files: follower ?? systemStateFiles,
      tell,
    });
    daemon = await starting;
    follower?.start();
    if (hungUp) onHangup();
    await ended;
  } finally {
    // makes room for what is said last: the totals, and how many lines were lost
    flush();
    await daemon?.stop();
    process.off('SIGHUP', onHangup);
    follower?.close();
    await control.close();
    flush();
    process.off('exit', flush);
  }
}

/** The plan that is to be in force; what is doubtful in it is told. */
function accept(
  { plan, warnings, settings }: LoadedPlan,
  options: RunOptions,
  tell: Tell,
  follower: Mwan3Follower | undefined,
): Plan {
  if (follower && settings) follower.settleMs = settings.settleMs;
  for (const why of warnings)
    tell({ event: 'warning', what: 'mwan3', why, todo: 'resteer check --mwan3 prints the plan' });
  return options.dryRun ? { ...plan, dryRun: true } : plan;
}

interface Reloaded {
  readonly ok: boolean;
  readonly problems?: readonly string[];
}

/** A bad configuration changes nothing. */
async function reload(
  daemon: Daemon,
  options: RunOptions,
  tell: Tell,
  follower: Mwan3Follower | undefined,
): Promise<Reloaded> {
  try {
    await daemon.reload(accept(await loadSource(options), options, tell, follower));
    return { ok: true };
  } catch (error) {
    const problems = (error as Error).message.split('\n');
    tell({ event: 'reload', ok: false, problems });
    return { ok: false, problems };
  }
}

async function openControl(
  path: string,
  handlers: Parameters<typeof ControlServer.open>[1],
): Promise<ControlServer> {
  try {
    return await ControlServer.open(path, handlers);
  } catch (error) {
    if (error instanceof ControlError && error.code === 'EADDRINUSE')
      throw new CliError('control socket', error.message);
    if (error instanceof ControlError)
      throw usageError('control socket', error.message, 'name another with --control');
    throw error;
  }
}

/** Rejects when nobody reads the log any more: whoever watches over the daemon then starts it anew. */
function readerGone({ stdout }: Io): Promise<never> {
  // in place of the listener that ends the process on the spot
  stdout.removeAllListeners('error');
  return new Promise((_resolve, reject) => {
    stdout.on('error', ({ message }) =>
      reject(new CliError('log', `nothing more can be written to standard output: ${message}`)),
    );
  });
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}
