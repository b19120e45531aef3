import { Command, CommanderError } from 'commander';
import { explainError, usageError } from './errors.ts';
import { EXIT, type Io } from './io.ts';
import { loadStandIn } from './multicall.ts';
import { version } from './version.ts';

/** One command: adds itself to the program, and leaves its exit code with `exit`. */
export type AddCommand = (program: Command, io: Io, exit: (code: number) => void) => void;

/** Each command by its name, loaded when it is called: a start pays for nothing that it does not use. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  run: async () => (await import('./runCommand.ts')).addRun,
  check: async () => (await import('./check.ts')).addCheck,
  explain: async () => (await import('./explain.ts')).addExplain,
  sweep: async () => (await import('./sweep.ts')).addSweep,
  status: async () => (await import('./status.ts')).addStatus,
  control: async () => (await import('./control.ts')).addControl,
  demo: async () => (await import('./demo.ts')).addDemo,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  report: async () => (await import('./report.ts')).addReport,
  decode: async () => (await import('./decode.ts')).addDecode,
  capture: async () => (await import('./capture.ts')).addCapture,
  simulate: async () => (await import('./simulate.ts')).addSimulate,
  conntrack: async () => (await import('./conntrack/register.ts')).addConntrack,
  ipset: async () => (await import('./ipset/index.ts')).addIpset,
};

/** The command that the arguments begin with; all of them for help, and to say which was meant. */
function loadCommands([first = '']: readonly string[]): Promise<AddCommand[]> {
  const isVersion = first === '--version' || first === '-V';
  const names = isVersion ? [] : Object.hasOwn(commands, first) ? [first] : Object.keys(commands);
  return Promise.all(names.map((name) => commands[name]!()));
}

/**
 * Runs the command line to its end and returns the exit code. Never throws: what goes wrong is one line
 * on standard error.
 * @param argv the arguments, without the interpreter and the script
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const standIn = await loadStandIn(argv);
  if (standIn) return standIn(argv.slice(1), io);
  let exitCode: number = EXIT.DONE;
  const program = createProgram(io);
  for (const add of await loadCommands(argv)) {
    add(program, io, (code) => {
      exitCode = code;
    });
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.DONE;
    // no command at all: commander has printed the help on standard error
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.USAGE;
    const { text, exitCode: failure } = explainError(
      error instanceof CommanderError ? usageOf(error, program, argv) : error,
    );
    io.stderr.write(`${text}\n`);
    return failure;
  }
}

function createProgram(io: Io): Command {
  return new Command('resteer')
    .description('Puts misplaced flows back on the right WAN, and speaks netlink to conntrack and ipset.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not permitted.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // run() prints the error, in the form of all errors
      outputError: () => {},
    });
}

/** commander's "error: unknown option '--jsn'\n(Did you mean --json?)" in our form. */
function usageOf(error: CommanderError, program: Command, argv: readonly string[]) {
  const [first = '', hint] = error.message.replace(/^error: /, '').split('\n');
  const command = program.commands.find((each) => each.name() === argv[0])?.name();
  const help = ['resteer', command, '--help'].filter(Boolean).join(' ');
  const why = first.replace(
    /^too many arguments.*\. Expected (\d+) arguments? but got (\d+)\.$/,
    'too many arguments: $2 where $1 are expected',
  );
  const suggestion = /\((Did you mean .*)\)/.exec(hint ?? '')?.[1]?.replace(/^Did/, 'did');
  return usageError(command ?? 'usage', why, `${suggestion ? `${suggestion} ` : ''}see ${help}`);
}
