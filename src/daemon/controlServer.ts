import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Longest request line; whoever sends more is told so and cut off. */
const LONGEST_LINE = 65_536;
/** sun_path of unix(7), without the zero behind it. */
const LONGEST_PATH = 107;
const MOST_CLIENTS = 16;
const IDLE_MS = 60_000;

/** Answers one command. What it throws becomes the answer's error. */
export type ControlHandler = (request: Readonly<Record<string, unknown>>) => unknown;

export type ControlAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string };

/** Why the socket could not be opened, with what to do. */
export class ControlError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ControlError';
    this.code = code;
  }
}

/**
 * The control socket: a unix socket for its owner alone (mode 0600), JSON lines, one answer a request in
 * order. Nothing that a client sends is fatal.
 */
export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #handlers: ReadonlyMap<string, ControlHandler>;

  private constructor(path: string, handlers: ReadonlyMap<string, ControlHandler>) {
    this.path = path;
    this.#handlers = handlers;
    // half open: who has said everything at once still gets its answers
    this.#server = createServer({ allowHalfOpen: true }, (client) => void this.#serve(client));
    this.#server.maxConnections = MOST_CLIENTS;
  }

  /**
   * Opens the socket. One that a killed process left behind is replaced; one that answers is another
   * instance's.
   * @throws ControlError EADDRINUSE where another instance listens; or what bind(2) said.
   */
  static async open(
    path: string,
    handlers: Readonly<Record<string, ControlHandler>>,
  ): Promise<ControlServer> {
    if (Buffer.byteLength(path) > LONGEST_PATH) {
      throw new ControlError(
        'ENAMETOOLONG',
        `${path}: the path of a socket has at most ${LONGEST_PATH} bytes`,
      );
    }
    const server = new ControlServer(path, new Map(Object.entries(handlers)));
    await removeStale(path);
    await server.#listen();
    return server;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(new ControlError(error.code ?? 'EIO', `${this.path}: ${error.message}`, { cause: error }));
      });
      // bind(2) happens inside listen(): between it and chmod nobody else can have connected
      const before = process.umask(0o177);
      try {
        this.#server.listen(this.path, () => {
          chmodSync(this.path, 0o600);
          resolve();
        });
      } finally {
        process.umask(before);
      }
    });
  }

  /** One request after the other: whoever does not read its answers is not read from either. */
  async #serve(client: Socket): Promise<void> {
    this.#clients.add(client);
    client.setEncoding('utf8');
    client.setTimeout(IDLE_MS, () => client.destroy());
    client.on('close', () => this.#clients.delete(client));
    // the loop below hears of a broken connection, but not while it answers
    client.on('error', () => client.destroy());
    try {
      for await (const line of linesOf(client)) await reply(client, await this.#answer(line));
    } catch (error) {
      if (error instanceof RangeError) await reply(client, failure(error.message));
    }
    client.destroySoon();
  }

  async #answer(line: string): Promise<ControlAnswer> {
    let request: unknown;
    try {
      request = JSON.parse(line);
    } catch (error) {
      return failure(`the request is not JSON: ${(error as Error).message}`);
    }
    if (typeof request !== 'object' || request === null || Array.isArray(request)) {
      return failure('a request is a JSON object such as {"command": "status"}');
    }
    const { command } = request as { command?: unknown };
    const handler = typeof command === 'string' ? this.#handlers.get(command) : undefined;
    if (!handler) {
      return failure(
        `"command": ${JSON.stringify(command)} is none of ${[...this.#handlers.keys()].join(', ')}`,
      );
    }
    try {
      return { ok: true, result: await handler(request as Record<string, unknown>) };
    } catch (error) {
      return failure((error as Error).message);
    }
  }
}

/**
 * Requests, each a line; the last may lack its end.
 * @throws RangeError where a line is too long.
 */
async function* linesOf(client: Socket): AsyncIterable<string> {
  let rest = '';
  for await (const chunk of client.iterator({ destroyOnReturn: false })) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') yield line;
    if (rest.length > LONGEST_LINE) throw new RangeError(`a request has at most ${LONGEST_LINE} characters`);
  }
  if (rest.trim() !== '') yield rest;
}

/** Resolves when the client's side has taken the answer, or is gone. */
function reply(client: Socket, answer: ControlAnswer): Promise<void> {
  return new Promise((resolve) => {
    if (client.destroyed) resolve();
    else client.write(`${JSON.stringify(answer)}\n`, () => resolve());
  });
}

function failure(error: string): ControlAnswer {
  return { ok: false, error };
}

/** Removes a socket that nobody listens on. */
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch {
    return;
  }
  if (!isSocket) {
    throw new ControlError(
      'EEXIST',
      `${path} exists and is no socket: remove it, or name another with --control`,
    );
  }
  if (await answers(path)) {
    throw new ControlError(
      'EADDRINUSE',
      `another resteer listens on ${path}: stop it first, or name another socket`,
    );
  }
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    // anything else, such as a full queue, is the answer of one that is there
    probe.on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}
