import { askDaemon } from '../daemon/controlClient.ts';
import { ControlError } from '../daemon/controlServer.ts';
import { CliError } from './errors.ts';
import { EXIT } from './io.ts';

/**
 * What the running daemon answers to a request.
 * @throws CliError where none runs, or it refuses.
 */
export async function requestOfDaemon(
  path: string,
  request: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  try {
    return await askDaemon(path, request);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    const exitCode = error.code === 'EACCES' ? EXIT.NOT_PERMITTED : EXIT.FAILED;
    throw new CliError('control socket', error.message, undefined, exitCode);
  }
}
