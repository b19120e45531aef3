import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type AgentEcho, type AgentRequest, agentSource, type Protocol } from './agent.ts';
import { childEnvironment } from './command.ts';

/** A line that got no answer, or a connection that failed; `code` as Node has it: ETIMEDOUT, ECONNRESET ... */
export class TrafficError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'TrafficError';
    this.code = code;
  }
}

/** An answered line. */
export interface Echo extends AgentEcho {
  /** The WAN by which the server saw the flow come; undefined if it came by none. */
  readonly wan: number | undefined;
  /** From sending to the answer, in milliseconds. */
  readonly elapsedMs: number;
}

export interface SendOptions {
  /** How long to wait for the answer; default 5000. */
  readonly timeoutMs?: number;
}

/** A flow that stays open and speaks when told. */
export interface TrafficFlow {
  readonly protocol: Protocol;
  readonly localPort: number;
  /** Sends one line and waits for the server's answer. Throws TrafficError. */
  send(text?: string, options?: SendOptions): Promise<Echo>;
  /** Sends every `everyMs` (50) until an answer pleases; throws TrafficError after `withinMs` (5000). Lost lines are passed over. */
  sendUntil(
    pleases: (echo: Echo) => boolean,
    options?: { everyMs?: number; withinMs?: number },
  ): Promise<Echo>;
  close(): Promise<void>;
}

export interface FlowOptions {
  readonly address: string;
  /** Default 443. */
  readonly port?: number;
  /** Default: any that is free. */
  readonly localPort?: number;
  /** TCP: connect anew after a reset, from the same port, and send again what has no answer; default true. */
  readonly reconnect?: boolean;
  /** How long a TCP connection may take; default 5000. */
  readonly timeoutMs?: number;
}

/** Tells from what the server saw which WAN a flow came by. */
export type WanOf = (
  protocol: Protocol,
  peerAddress: string,
  peerPort: number,
) => Promise<number | undefined>;

/** The agent of one namespace, started when first needed. */
export interface Traffic {
  listen(protocol: Protocol, port: number, addresses: readonly string[]): Promise<void>;
  connect(protocol: Protocol, options: FlowOptions): Promise<TrafficFlow>;
  close(): void;
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

const DEFAULT_TIMEOUT_MS = 5000;

/** Starts the agent in the namespace when it is first asked for something; `started` sees its process. */
export function createTraffic(
  namespace: string,
  wanOf: WanOf,
  started: (child: ChildProcess) => void,
): Traffic {
  const pending = new Map<number, Pending>();
  let child: ChildProcess | undefined;
  let requests = 0;
  let flows = 0;

  const start = (): ChildProcess => {
    const args = [
      'netns',
      'exec',
      namespace,
      process.execPath,
      '--input-type=commonjs',
      '--eval',
      agentSource,
    ];
    const agent = spawn('ip', args, { env: childEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    agent.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    agent.stdin.on('error', () => {});
    const fail = (why: string) => {
      child = undefined;
      for (const { reject } of pending.values()) reject(new TrafficError('EAGENT', why));
      pending.clear();
    };
    agent.on('error', (error) => fail(error.message));
    agent.on('close', (code, signal) => fail(`the agent in ${namespace} ended (${signal ?? code}) ${said}`));
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const { id, value, error } = JSON.parse(line);
      const { resolve, reject } = pending.get(id) ?? {};
      pending.delete(id);
      if (error) reject?.(new TrafficError(error.code, error.message));
      else resolve?.(value);
    });
    started(agent);
    return agent;
  };

  const ask = <T>(request: AgentRequest): Promise<T> => {
    child ??= start();
    requests += 1;
    const id = requests;
    const answered = new Promise<unknown>((resolve, reject) => pending.set(id, { resolve, reject }));
    child.stdin!.write(`${JSON.stringify({ id, ...request })}\n`);
    return answered as Promise<T>;
  };

  const connect = async (protocol: Protocol, options: FlowOptions): Promise<TrafficFlow> => {
    flows += 1;
    const flow = flows;
    const { address, port = 443, localPort, reconnect = true, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const wanted = { protocol, address, port, reconnect, timeoutMs, ...(localPort && { localPort }) };
    const connected = await ask<{ localPort: number }>({ do: 'connect', flow, ...wanted });

    const send = async (
      text = 'hello',
      { timeoutMs = DEFAULT_TIMEOUT_MS }: SendOptions = {},
    ): Promise<Echo> => {
      const began = performance.now();
      const echo = await ask<AgentEcho>({ do: 'send', flow, text, timeoutMs });
      const elapsedMs = performance.now() - began;
      return { ...echo, elapsedMs, wan: await wanOf(protocol, echo.peerAddress, echo.peerPort) };
    };

    return {
      protocol,
      localPort: connected.localPort,
      send,
      async sendUntil(pleases, { everyMs = 50, withinMs = 5000 } = {}) {
        const end = performance.now() + withinMs;
        let last = 'nothing';
        while (performance.now() < end) {
          const echo = await send(undefined, { timeoutMs: 500 }).catch((error: TrafficError) => {
            if (error.code !== 'ETIMEDOUT') throw error;
            last = error.message;
            return undefined;
          });
          if (echo && pleases(echo)) return echo;
          if (echo) last = JSON.stringify(echo);
          await new Promise((resolve) => setTimeout(resolve, everyMs));
        }
        throw new TrafficError('ETIMEDOUT', `no answer that pleases within ${withinMs} ms: last was ${last}`);
      },
      close: () => ask<void>({ do: 'close', flow }),
    };
  };

  return {
    listen: (protocol, port, addresses) => ask<void>({ do: 'listen', protocol, port, addresses }),
    connect,
    close: () => child?.stdin?.end(),
  };
}
