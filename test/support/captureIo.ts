import { Readable, Writable } from 'node:stream';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/run.ts';

export interface CapturedIo extends Io {
  /** What was written to standard output and to standard error so far. */
  readonly written: { out: string; err: string };
}

export interface IoOptions {
  /** Standard input, in these pieces. */
  readonly input?: Iterable<string | Uint8Array>;
  readonly isTTY?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Streams of a process that is not there. */
export function captureIo({ input = [], isTTY = false, env = {} }: IoOptions = {}): CapturedIo {
  const written = { out: '', err: '' };
  const sink = (name: 'out' | 'err') =>
    new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        written[name] += chunk;
        done();
      },
    });
  const stdin = Readable.from(input, { objectMode: false });
  return {
    stdin: Object.assign(stdin, { isTTY }),
    stdout: Object.assign(sink('out'), { isTTY }),
    stderr: sink('err'),
    env,
    written,
  };
}

/** Runs a command line to its end. */
export async function runCli(argv: readonly string[], options: IoOptions = {}) {
  const io = captureIo(options);
  const exitCode = await run(argv, io);
  return { exitCode, ...io.written };
}
