import { connect } from 'node:net';
import { type ControlAnswer, ControlError } from './controlServer.ts';

/** Where the daemon listens when nothing else is said. */
export const DEFAULT_CONTROL_PATH = '/var/run/resteer.sock';

const TIMEOUT_MS = 30_000;

/**
 * Sends one request to a running daemon and gives its result.
 * @throws ControlError where nothing listens, or the daemon refused the request.
 */
export function askDaemon(path: string, request: Readonly<Record<string, unknown>>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const client = connect(path);
    let text = '';
    const fail = (error: ControlError) => {
      client.destroy();
      reject(error);
    };
    client.setEncoding('utf8');
    client.setTimeout(TIMEOUT_MS, () => fail(new ControlError('ETIMEDOUT', `${path}: no answer in 30 s`)));
    client.on('error', (error: NodeJS.ErrnoException) => fail(unreachable(path, error)));
    client.on('connect', () => client.write(`${JSON.stringify(request)}\n`));
    client.on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\n')) return;
      client.destroy();
      const answer = decodeAnswer(text);
      if (!answer) reject(new ControlError('EPROTO', `${path}: what listens there is no resteer`));
      else if (answer.ok) resolve(answer.result);
      else reject(new ControlError('EINVAL', answer.error));
    });
    client.on('end', () => fail(new ControlError('EPIPE', `${path}: the daemon closed without an answer`)));
  });
}

function decodeAnswer(text: string): ControlAnswer | undefined {
  try {
    const answer = JSON.parse(text) as ControlAnswer | null;
    return typeof answer?.ok === 'boolean' ? answer : undefined;
  } catch {
    return undefined;
  }
}

function unreachable(path: string, error: NodeJS.ErrnoException): ControlError {
  const why =
    error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      ? 'no resteer is running there: start it with resteer run, or name its socket with --control'
      : error.code === 'EACCES'
        ? 'not permitted: run as the user that the daemon runs as'
        : error.message;
  return new ControlError(error.code ?? 'EIO', `${path}: ${why}`, { cause: error });
}
