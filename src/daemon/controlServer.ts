import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Longest request line; whoever sends more is told so and cut off. */
const LONGEST_LINE = 65_536;
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
    this.#server = createServer((client) => this.#serve(client));
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

  #serve(client: Socket): void {
    this.#clients.add(client);
    client.setEncoding('utf8');
    client.setTimeout(IDLE_MS, () => client.destroy());
    client.on('error', () => client.destroy());
    client.on('close', () => this.#clients.delete(client));
    let rest = '';
    let last: Promise<void> = Promise.resolve();
    client.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.trim() === '') continue;
        last = last.then(async () => {
          const answer = await this.#answer(line);
          if (!client.destroyed) client.write(`${JSON.stringify(answer)}\n`);
        });
      }
      if (rest.length > LONGEST_LINE) {
        client.end(`${JSON.stringify(failure(`a request has at most ${LONGEST_LINE} characters`))}\n`);
        rest = '';
      }
    });
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
    probe.on('error', () => resolve(false));
  });
}
