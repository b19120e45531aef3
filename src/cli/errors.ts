import type { ConfigError } from '../daemon/config/configError.ts';
import type { ControlError } from '../daemon/controlServer.ts';
import type { KernelError, NetlinkError, TransportError } from '../nfnetlink/errors.ts';
import { EXIT } from './io.ts';

/** An error in the words of the command line: printed as `resteer: what: why: what to do`. */
export class CliError extends Error {
  readonly exitCode: number;
  constructor(what: string, why: string, mend?: string, exitCode: number = EXIT.FAILED) {
    super([what, why, mend].filter(Boolean).join(': '));
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** Wrong options, arguments or configuration. */
export function usageError(what: string, why: string, mend?: string): CliError {
  return new CliError(what, why, mend, EXIT.USAGE);
}

const CAPABILITY_ADVICE =
  'not permitted: this needs CAP_NET_ADMIN in the user namespace that owns the network namespace: ' +
  'run it as root';

/** What an error of any layer says to the user, and the exit code that it means. */
export function explainError(error: unknown): { text: string; exitCode: number } {
  if (error instanceof CliError) return { text: `resteer: ${error.message}`, exitCode: error.exitCode };
  if (!(error instanceof Error)) return { text: `resteer: ${String(error)}`, exitCode: EXIT.FAILED };
  if (isNetlinkError(error)) return explainNetlinkError(error);
  const known = explainOwnError(error);
  if (known) return known;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code && syscall) {
    const what = path ?? syscall;
    return { text: `resteer: ${what}: ${systemReasons[code] ?? error.message}`, exitCode: EXIT.FAILED };
  }
  const trace = error.stack ?? error.message;
  return { text: `resteer: this is a fault of resteer, please report it: ${trace}`, exitCode: EXIT.FAILED };
}

/** Errors of the daemon and the laboratory, told by name: their modules are loaded by few commands. */
function explainOwnError(error: Error): { text: string; exitCode: number } | undefined {
  switch (error.name) {
    case 'ConfigError': {
      const { file, problems } = error as ConfigError;
      const lines = problems.map((problem) => `resteer: ${file}: ${problem}`);
      return { text: lines.join('\n'), exitCode: EXIT.USAGE };
    }
    case 'ControlError': {
      const exitCode = (error as ControlError).code === 'EACCES' ? EXIT.NOT_PERMITTED : EXIT.FAILED;
      return { text: `resteer: control socket: ${error.message}`, exitCode };
    }
    case 'LabError':
      return { text: `resteer: ${error.message}`, exitCode: EXIT.FAILED };
    default:
      return undefined;
  }
}

const systemReasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder: check the name',
  EACCES: 'permission denied: check who may read it',
  EISDIR: 'it is a directory: name a file',
};

function explainNetlinkError(error: NetlinkError): { text: string; exitCode: number } {
  if (isPermissionError(error)) {
    // the subsystems name the capability themselves, with what else the refusal may mean
    const isNamed = error.message.includes('CAP_NET_ADMIN');
    const text = isNamed ? error.message : `${subject(error)}: ${CAPABILITY_ADVICE}`;
    return { text: `resteer: ${text}`, exitCode: EXIT.NOT_PERMITTED };
  }
  return { text: `resteer: ${error.message}`, exitCode: EXIT.FAILED };
}

/** Whether the kernel, or the system call, refused for want of a capability. */
export function isPermissionError(error: unknown): boolean {
  if (!isNetlinkError(error) || (error.kind !== 'kernel' && error.kind !== 'transport')) return false;
  const { code } = error as KernelError | TransportError;
  return code === 'EPERM' || code === 'EACCES';
}

/** Told by `kind` and never by class: two copies of the library may be loaded. */
export function isNetlinkError(error: unknown): error is NetlinkError {
  return error instanceof Error && 'kind' in error && typeof error.kind === 'string';
}

function subject(error: NetlinkError): string {
  return error.kind === 'kernel' ? (error as KernelError).command : (error as TransportError).syscall;
}
