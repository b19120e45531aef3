import { Option } from 'commander';
import { DEFAULT_CONFIG_FILE, loadPlan } from '../daemon/config/config.ts';
import { ConfigError } from '../daemon/config/configError.ts';
import { DEFAULT_CONTROL_PATH } from '../daemon/controlClient.ts';
import { ControlError, ControlServer } from '../daemon/controlServer.ts';
import { Daemon } from '../daemon/daemon.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel, openLog } from '../daemon/log.ts';
import type { Plan } from '../daemon/plan.ts';
import { systemSockets } from '../daemon/sockets.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import type { Tell } from '../daemon/tell.ts';
import { systemClock } from '../nfnetlink/clock.ts';
import { loadConfiguration } from './configuration.ts';
import { CliError, usageError } from './errors.ts';
import type { Io } from './io.ts';
import type { AddCommand } from './run.ts';

interface RunOptions {
  readonly config: string;
  readonly dryRun?: true;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  readonly control: string;
}

const examples = `
Signals: SIGHUP reads the configuration again (a bad one is refused and the old one kept); SIGTERM and SIGINT stop.

Examples:
  resteer run
  resteer run --dry-run --log-format json | jq 'select(.event == "reset")'
  resteer run --config ./resteer.json --control ./resteer.sock`;

/** `resteer run`: the daemon, in the foreground. */
export const addRun: AddCommand = (program, io) => {
  program
    .command('run')
    .summary('the daemon, in the foreground')
    .description(
      'Watches connection tracking and resets flows that are on the wrong uplink, until it is stopped.',
    )
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG_FILE)
    .option('-n, --dry-run', 'say what would be reset, reset nothing')
    .addOption(
      new Option('--log-format <format>', 'one line an event').choices(['text', 'json']).default('text'),
    )
    .addOption(
      new Option('--log-level <level>', 'the least that is said').choices([...LOG_LEVELS]).default('info'),
    )
    .option('--control <path>', 'control socket', DEFAULT_CONTROL_PATH)
    .addHelpText('after', examples)
    .action((options: RunOptions) => runDaemon(options, io));
};

/** Runs until SIGTERM or SIGINT; resolves when everything is closed. */
async function runDaemon(options: RunOptions, io: Io): Promise<void> {
  const plan = withOptions(loadConfiguration(options.config), options);
  const tell = openLog(options.logFormat, options.logLevel, { write: (line) => void io.stdout.write(line) });
  const stopped = stopSignal();
  let daemon: Daemon | undefined;
  const running = () => {
    if (!daemon) throw new Error('the daemon is starting: ask again in a moment');
    return daemon;
  };
  // a signal while it starts would end the process, so it is kept until there is a daemon
  let hungUp = false;
  const onHangup = () => {
    if (daemon) void reload(daemon, options, tell);
    else hungUp = true;
  };
  process.on('SIGHUP', onHangup);
  const control = await openControl(options.control, {
    status: () => running().status(),
    explain: (request) => running().explain(request),
    sweep: async () => (await running().sweep()) ?? { failed: true },
    reload: () => reload(running(), options, tell),
    pause: () => void running().pause(),
    resume: () => void running().resume(),
  });
  try {
    const starting = Daemon.start({
      plan,
      sockets: systemSockets,
      clock: systemClock,
      wallNow: Date.now,
      files: systemStateFiles,
      tell,
    });
    daemon = await starting;
    if (hungUp) onHangup();
    await stopped;
    await daemon.stop();
  } finally {
    process.off('SIGHUP', onHangup);
    await control.close();
  }
}

function withOptions(plan: Plan, options: RunOptions): Plan {
  return options.dryRun ? { ...plan, dryRun: true } : plan;
}

/** A bad configuration changes nothing. */
async function reload(
  daemon: Daemon,
  options: RunOptions,
  tell: Tell,
): Promise<{ ok: boolean; problems?: readonly string[] }> {
  try {
    await daemon.reload(withOptions(loadPlan(options.config), options));
    return { ok: true };
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
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

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}
