import type { ChildProcess } from 'node:child_process';
import { inside, LabError, mustRun, run, type Step } from './command.ts';
import { type ConntrackRow, readConntrackTable } from './conntrackTable.ts';
import { defaultWanStep, firewallSteps, fromIspSet, setSteps } from './firewall.ts';
import { createHost, type Host } from './host.ts';
import { addressSteps, linkSteps, namespaceSteps, sysctlSteps } from './links.ts';
import { newLabId, removeAbandoned, removeNamespaces } from './names.ts';
import {
  type Family,
  families,
  type LabOptions,
  type LabPlan,
  namespaceOf,
  planLab,
  rolesOf,
} from './plan.ts';
import type { WanOf } from './traffic.ts';
import { prepareUserNamespace } from './userNamespace.ts';

/**
 * A router with several uplinks, two clients behind it, and a server that is reached through any of them:
 *
 *     client1 --+          +-- isp1 --+
 *               +- router -+          +- server
 *     client2 --+          +-- isp2 --+
 */
export interface Lab {
  readonly id: string;
  readonly plan: LabPlan;
  readonly router: Host;
  readonly server: Host;
  client(number: 1 | 2): Host;
  /** The provider of a WAN, from 1. */
  isp(wan: number): Host;
  /** Adds an element, as a recogniser of applications would; `timeout` in seconds. */
  addToSet(set: string, element: string, options?: { timeout?: number }): Promise<void>;
  removeFromSet(set: string, element: string): Promise<void>;
  /** Moves what no rule claims to another WAN; flows that exist keep their marks. */
  setDefaultWan(family: Family, wan: number): Promise<void>;
  setSysctl(host: Host, key: string, value: string | number): Promise<void>;
  /** The router's table, by the real conntrack(8), which must be installed for this. */
  conntrack(family?: Family): Promise<ConntrackRow[]>;
  /** Ends every process inside and removes the namespaces. Doing it again does nothing. */
  close(): Promise<void>;
}

/** What removes each laboratory that stands. */
const open = new Map<string, () => void>();
let isWatchingExit = false;

/** A laboratory goes with its process. Where the program listens to a signal itself, it decides when to end. */
function closeAtExit(): void {
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.on('exit', () => {
    for (const remove of open.values()) remove();
  });
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1 && open.size > 0) process.exit(128 + numbers[signal]);
    });
  }
}

/** Steps of one stage do not depend on each other; a stage needs those before it. */
export function buildStages(plan: LabPlan): Step[][] {
  return [
    namespaceSteps(plan),
    sysctlSteps(plan),
    [...linkSteps(plan), ...setSteps(plan)],
    [...addressSteps(plan), ...firewallSteps(plan)],
  ];
}

async function runStages(stages: readonly (readonly Step[])[]): Promise<void> {
  for (const stage of stages) {
    const results = await Promise.allSettled(stage.map((step) => mustRun(step)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

/** Builds a laboratory; first removes those whose process is no more. Needs what `labRequirements` asks for. */
export async function buildLab(options: LabOptions = {}): Promise<Lab> {
  const plan = planLab(newLabId(), options);
  prepareUserNamespace();
  removeAbandoned();
  closeAtExit();
  const children = new Set<ChildProcess>();
  const remove = () => {
    open.delete(plan.id);
    // One that has only just been started may not have entered its namespace, so it is not found there.
    for (const child of children) child.kill('SIGKILL');
    removeNamespaces(rolesOf(plan).map((role) => namespaceOf(plan, role)));
  };
  open.set(plan.id, remove);
  try {
    await runStages(buildStages(plan));
    return await furnish(plan, children, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

async function furnish(plan: LabPlan, children: Set<ChildProcess>, remove: () => void): Promise<Lab> {
  const started = (child: ChildProcess) => {
    if (child.pid === undefined) return;
    children.add(child);
    child.once('exit', () => children.delete(child));
  };
  const wanOf = plan.masquerade ? wanOfRouterAddress(plan) : wanOfProvider(plan);
  const hosts = new Map(
    rolesOf(plan).map((role) => [role, createHost(role, namespaceOf(plan, role), wanOf, started)]),
  );
  const host = (role: string) => {
    const found = hosts.get(role);
    if (!found) throw new LabError(role, 'there is no such host in this laboratory');
    return found;
  };
  const router = host('router');
  const server = host('server');
  const addresses = families.flatMap((family) => plan.serverAddresses[family]);
  await Promise.all(
    plan.serverPorts.flatMap((port) => [
      server.listen('tcp', port, addresses),
      server.listen('udp', port, addresses),
    ]),
  );

  return {
    id: plan.id,
    plan,
    router,
    server,
    client: (number) => host(`client${number}`),
    isp: (wan) => host(`isp${wan}`),
    async addToSet(set, element, { timeout } = {}) {
      const suffix = timeout === undefined ? [] : ['timeout', String(timeout)];
      await router.exec('ipset', ['add', '-exist', set, element, ...suffix]);
    },
    async removeFromSet(set, element) {
      await router.exec('ipset', ['del', '-exist', set, element]);
    },
    async setDefaultWan(family, wan) {
      await mustRun(defaultWanStep(plan, family, wan));
    },
    async setSysctl(where, key, value) {
      await where.exec('sysctl', ['-q', '-w', `${key}=${value}`]);
    },
    async conntrack(family = 'ipv4') {
      const { stdout } = await router.exec('conntrack', ['-L', '-o', 'id', '-f', family]);
      return readConntrackTable(stdout);
    },
    async close() {
      const ended = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
      remove();
      await Promise.all(ended);
    },
  };
}

/** Masqueraded: the server sees the router's address on the WAN. */
function wanOfRouterAddress(plan: LabPlan): WanOf {
  return async (_, address) =>
    plan.wans.find(({ routerAddress }) => families.some((family) => routerAddress[family] === address))?.id;
}

/** Not masqueraded: the server's own sets tell by which provider the sender's last packet came. */
function wanOfProvider(plan: LabPlan): WanOf {
  return async (protocol, address, port) => {
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    for (const { id } of plan.wans) {
      const args = ['test', fromIspSet(id, family), `${address},${protocol}:${port}`];
      const asked = await run(inside(namespaceOf(plan, 'server'), { command: 'ipset', args }));
      if (asked.exitCode === 0) return id;
    }
    return undefined;
  };
}
