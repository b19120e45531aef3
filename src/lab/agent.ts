/**
 * The program that makes and answers traffic inside a namespace, told what to do by JSON lines on its
 * standard input, and ending with it.
 *
 * `agentSource` is its text, for `node --eval`: thus it runs alike from the sources and from a single
 * bundled file. For that it must need nothing from outside its own body but its arguments.
 */

/** A request; the answer is `{ id, value }` or `{ id, error: { code, message } }`. */
export type AgentRequest =
  | {
      readonly do: 'listen';
      readonly protocol: Protocol;
      readonly port: number;
      readonly addresses: readonly string[];
    }
  | {
      readonly do: 'connect';
      readonly flow: number;
      readonly protocol: Protocol;
      readonly address: string;
      readonly port: number;
      readonly localPort?: number;
      /** TCP: connect anew after a reset, from the same port, and send again what has no answer. */
      readonly reconnect?: boolean;
      readonly timeoutMs: number;
    }
  | { readonly do: 'send'; readonly flow: number; readonly text: string; readonly timeoutMs: number }
  | { readonly do: 'close'; readonly flow: number };

export type Protocol = 'tcp' | 'udp';

/** What came back for one sent line: who the server saw, and how the flow has fared until now. */
export interface AgentEcho {
  readonly text: string;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localPort: number;
  /** How often the flow was cut by a TCP reset. */
  readonly resets: number;
  /** How often it was connected: 1 unless it was cut. */
  readonly connections: number;
}

type Net = typeof import('node:net');
type Dgram = typeof import('node:dgram');
type Readline = typeof import('node:readline');

function agent(net: Net, dgram: Dgram, readline: Readline, process: NodeJS.Process): void {
  interface Waiting {
    line: string;
    timer: NodeJS.Timeout;
    resolve: (echo: AgentEcho) => void;
    reject: (error: Error) => void;
  }
  interface Flow {
    localPort: number;
    resets: number;
    connections: number;
    write: (line: string) => void;
    end: () => void;
    waiting: Map<number, Waiting>;
    dead: Error | undefined;
  }
  const flows = new Map<number, Flow>();
  let sequence = 0;

  const fault = (code: string, message: string) => Object.assign(new Error(message), { code });
  const plain = (address: string | undefined) => (address ?? '').replace(/^::ffff:/, '');
  const echo = (line: string, peerAddress: string, peerPort: number) =>
    `${JSON.stringify({ ...JSON.parse(line), peerAddress: plain(peerAddress), peerPort })}\n`;

  const lines = (stream: NodeJS.ReadableStream, take: (line: string) => void) => {
    readline
      .createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
      .on('line', take)
      .on('error', () => {});
  };

  const listenTcp = (address: string, port: number) =>
    new Promise<void>((resolve, reject) => {
      const server = net.createServer({ noDelay: true }, (socket) => {
        const peer = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
        socket.on('error', () => {});
        lines(socket, (line) => socket.write(echo(line, peer.address, peer.port)));
      });
      server.once('error', reject).listen(port, address, resolve);
    });

  const listenUdp = (address: string, port: number) =>
    new Promise<void>((resolve, reject) => {
      const socket = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4');
      socket.on('message', (message, peer) =>
        socket.send(echo(message.toString(), peer.address, peer.port), peer.port, peer.address, () => {}),
      );
      socket.once('error', reject).bind(port, address, () => {
        socket.off('error', reject).on('error', () => {});
        resolve();
      });
    });

  const failAll = (flow: Flow, error: Error) => {
    for (const { reject } of flow.waiting.values()) reject(error);
  };

  const settle = (flow: Flow, line: string) => {
    const { seq, text, peerAddress, peerPort } = JSON.parse(line);
    const { localPort, resets, connections } = flow;
    flow.waiting.get(seq)?.resolve({ text, peerAddress, peerPort, localPort, resets, connections });
  };

  type Connect = Extract<AgentRequest, { do: 'connect' }>;

  const connectTcp = (flow: Flow, request: Connect) =>
    new Promise<void>((resolve, reject) => {
      const { address, port, timeoutMs } = request;
      let isClosing = false;
      let reason: NodeJS.ErrnoException = fault('ECLOSED', 'the server closed the connection');
      const localPort = flow.localPort || undefined;
      const socket = net.connect({ host: address, port, ...(localPort && { localPort }), noDelay: true });
      const timer = setTimeout(
        () => socket.destroy(fault('ETIMEDOUT', `no connection within ${timeoutMs} ms`)),
        timeoutMs,
      );
      flow.end = () => {
        isClosing = true;
        socket.destroy();
      };
      flow.write = (line) => socket.write(line);
      socket.on('error', (error) => {
        reason = error;
      });
      socket.once('connect', () => {
        clearTimeout(timer);
        flow.localPort = socket.localPort ?? 0;
        flow.connections += 1;
        lines(socket, (line) => settle(flow, line));
        for (const { line } of flow.waiting.values()) socket.write(line);
        resolve();
      });
      socket.once('close', () => {
        clearTimeout(timer);
        const isReset = reason.code === 'ECONNRESET' || reason.code === 'EPIPE';
        if (isReset) flow.resets += 1;
        const giveUp = (error: Error) => {
          flow.dead = error;
          failAll(flow, error);
          reject(error);
        };
        if (isReset && request.reconnect && !isClosing) connectTcp(flow, request).catch(giveUp);
        else giveUp(reason);
      });
    });

  const connectUdp = (flow: Flow, request: Connect) =>
    new Promise<void>((resolve, reject) => {
      const socket = dgram.createSocket(net.isIPv6(request.address) ? 'udp6' : 'udp4');
      flow.end = () => socket.close();
      flow.write = (line) => socket.send(line, (error) => error && failAll(flow, error));
      socket.once('error', reject).bind(flow.localPort, () =>
        socket.connect(request.port, request.address, () => {
          // Later errors are what a router said by ICMP.
          socket.off('error', reject).on('error', (error) => failAll(flow, error));
          flow.localPort = socket.address().port;
          flow.connections = 1;
          resolve();
        }),
      );
      socket.on('message', (message) => settle(flow, message.toString()));
    });

  const send = (flow: Flow, text: string, timeoutMs: number) => {
    if (flow.dead) throw flow.dead;
    sequence += 1;
    const seq = sequence;
    const line = `${JSON.stringify({ seq, text })}\n`;
    return new Promise<AgentEcho>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(fault('ETIMEDOUT', `no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      flow.waiting.set(seq, { line, timer, resolve, reject });
      flow.write(line);
    }).finally(() => {
      clearTimeout(flow.waiting.get(seq)?.timer);
      flow.waiting.delete(seq);
    });
  };

  const known = (id: number) => {
    const flow = flows.get(id);
    if (!flow) throw fault('ENOENT', `no flow ${id}`);
    return flow;
  };

  const perform = async (request: AgentRequest): Promise<unknown> => {
    switch (request.do) {
      case 'listen': {
        const listen = request.protocol === 'tcp' ? listenTcp : listenUdp;
        await Promise.all(request.addresses.map((address) => listen(address, request.port)));
        return {};
      }
      case 'connect': {
        const flow: Flow = {
          localPort: request.localPort ?? 0,
          resets: 0,
          connections: 0,
          write: () => {},
          end: () => {},
          waiting: new Map(),
          dead: undefined,
        };
        flows.set(request.flow, flow);
        await (request.protocol === 'tcp' ? connectTcp : connectUdp)(flow, request);
        return { localPort: flow.localPort };
      }
      case 'send':
        return send(known(request.flow), request.text, request.timeoutMs);
      case 'close':
        known(request.flow).end();
        flows.delete(request.flow);
        return {};
    }
  };

  const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
  lines(process.stdin, (line) => {
    const { id, ...request } = JSON.parse(line);
    perform(request).then(
      (value) => answer({ id, value }),
      (error) => answer({ id, error: { code: error.code, message: error.message } }),
    );
  });
  process.stdin.on('end', () => process.exit(0));
}

// Some compilers name functions through a helper of their own, which the text alone does not have.
const compilerHelper = 'const __name = (value) => value;';
const modules = ['net', 'dgram', 'readline'].map((name) => `require('node:${name}')`).join(', ');

/** The agent as the text of a CommonJS program. */
export const agentSource = `${compilerHelper}(${agent})(${modules}, process);`;
