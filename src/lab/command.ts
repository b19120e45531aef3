import { spawn } from 'node:child_process';

/** A program to run: arguments as an array, never a shell; `input` goes to its standard input. */
export interface Step {
  readonly command: string;
  readonly args: readonly string[];
  readonly input?: string;
}

export interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** What the laboratory could not do, in the words that the command line prints: what: why: what to do. */
export class LabError extends Error {
  readonly what: string;
  readonly why: string;
  readonly mend: string | undefined;
  constructor(what: string, why: string, mend?: string) {
    super([what, why, mend].filter(Boolean).join(': '));
    this.name = 'LabError';
    this.what = what;
    this.why = why;
    this.mend = mend;
  }
}

const ADMINISTRATOR_PATHS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * The environment of every child: the administrator's directories are searched even where a user's PATH
 * leaves them out, messages are in English, and options for our own Node are not handed on.
 */
export function childEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, ...rest } = process.env;
  return { ...rest, LC_ALL: 'C', PATH: searchPath().join(':') };
}

/** The directories in which a command is looked for. */
export function searchPath(): string[] {
  const own = (process.env.PATH ?? '/usr/bin:/bin').split(':').filter(Boolean);
  return [...own, ...ADMINISTRATOR_PATHS.filter((path) => !own.includes(path))];
}

/** The same program inside a named network namespace. */
export function inside(namespace: string, step: Step): Step {
  return { ...step, command: 'ip', args: ['netns', 'exec', namespace, step.command, ...step.args] };
}

/** Runs a program to its end, whatever its exit code. Throws LabError if it cannot start or takes too long. */
export function run(step: Step, timeoutMs = 10_000): Promise<Finished> {
  const name = [step.command, ...step.args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(step.command, step.args, { env: childEnvironment(), timeout: timeoutMs });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        output[stream] += text;
      });
    }
    child.on('error', (error) => reject(new LabError(name, error.message)));
    child.on('close', (exitCode, signal) => {
      if (exitCode !== null) resolve({ ...output, exitCode });
      else reject(new LabError(name, `ended by ${signal} (limit ${timeoutMs} ms)`));
    });
    // A program that ends before it has read all closes the pipe: its exit code says why, not EPIPE.
    child.stdin.on('error', () => {});
    child.stdin.end(step.input ?? '');
  });
}

/** Runs a program that must succeed; otherwise throws LabError with what it printed. */
export async function mustRun(step: Step, timeoutMs?: number): Promise<Finished> {
  const finished = await run(step, timeoutMs);
  if (finished.exitCode === 0) return finished;
  const said = (finished.stderr || finished.stdout).trim();
  throw new LabError(
    [step.command, ...step.args].join(' '),
    `exit ${finished.exitCode}${said && `: ${said}`}`,
  );
}
