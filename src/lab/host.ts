import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Protocol } from './agent.ts';
import { childEnvironment, type Finished, inside, mustRun, run } from './command.ts';
import { createTraffic, type FlowOptions, type TrafficFlow, type WanOf } from './traffic.ts';

export interface PingOptions {
  /** Default 1. */
  readonly count?: number;
  /** Between echo requests; default 200. */
  readonly intervalMs?: number;
  /** The ICMP identifier, so that a later ping continues the same flow. */
  readonly identifier?: number;
}

/** One namespace of the laboratory, with what can be done inside it. */
export interface Host {
  readonly role: string;
  readonly namespace: string;
  /** Runs a program inside; throws LabError unless it exits 0. */
  exec(command: string, args: readonly string[], input?: string): Promise<Finished>;
  /** Starts a program inside that ends with the laboratory at the latest. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Answers every line that reaches the port on one of the addresses with what it saw of the sender. */
  listen(protocol: Protocol, port: number, addresses: readonly string[]): Promise<void>;
  tcp(options: FlowOptions): Promise<TrafficFlow>;
  udp(options: FlowOptions): Promise<TrafficFlow>;
  /** ICMP echo by ping(8): how many requests were answered. */
  ping(address: string, options?: PingOptions): Promise<number>;
}

/** `started` sees every process that lives on inside the namespace. */
export function createHost(
  role: string,
  namespace: string,
  wanOf: WanOf,
  started: (child: ChildProcess) => void,
): Host {
  const traffic = createTraffic(namespace, wanOf, started);
  return {
    role,
    namespace,
    exec: (command, args, input) => mustRun(inside(namespace, { command, args, ...(input && { input }) })),
    spawn(command, args, options = {}) {
      const step = inside(namespace, { command, args });
      const child = spawn(step.command, step.args, { env: childEnvironment(), ...options });
      started(child);
      return child;
    },
    listen: traffic.listen,
    tcp: (options) => traffic.connect('tcp', options),
    udp: (options) => traffic.connect('udp', options),
    async ping(address, { count = 1, intervalMs = 200, identifier } = {}) {
      const args = ['-n', '-q', '-c', String(count), '-i', String(intervalMs / 1000), '-W', '2'];
      if (identifier !== undefined) args.push('-e', String(identifier));
      const { stdout, stderr, exitCode } = await run(
        inside(namespace, { command: 'ping', args: [...args, address] }),
        count * intervalMs + 5000,
      );
      const received = /(\d+) (?:packets )?received/.exec(stdout)?.[1];
      if (received === undefined) throw new Error(`ping ${address}: exit ${exitCode}: ${stderr.trim()}`);
      return Number(received);
    },
  };
}
