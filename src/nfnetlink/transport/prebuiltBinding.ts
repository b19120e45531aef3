/**
 * The prebuilt binding inside npm `netlink`, used to make a socket and to join groups, for nothing else.
 *
 * Its object believes that it owns the descriptor, and keeps a poll and a timer of its own that are never
 * started here: its bind and send would start the poll, its close would take the descriptor out of the
 * loop's epoll set under Node's handle and close a number that may already be another file's. So the object
 * is left alone: it holds a strong reference to itself until its own close, thus its destructor, which
 * closes the number, runs when the process ends and never before. What stays of a closed transport is that
 * object, without a descriptor and with nothing active in the loop. In a worker the destructor would run
 * when the worker ends and close descriptors of other threads, so there the binding is not used.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { TransportError } from '../errors.ts';
import { hasEmbedded, loadEmbedded } from './embeddedBinding.ts';
import type { NetlinkDescriptor } from './handle.ts';
import { socketDescriptors } from './procNetlink.ts';
import { socketErrorFrom } from './socketError.ts';

interface NativeNetlink {
  addMembership(group: number): void;
}

interface NativeBinding {
  readonly NativeNetlink: new (
    protocol: number,
    messageSize: number,
    onRead: () => void,
    onError: () => void,
  ) => NativeNetlink;
}

let binding: NativeBinding | undefined;

/** Where the binding's file is; undefined if the package is not installed or has none for this machine. */
function installedFile(): string | undefined {
  try {
    const home = dirname(createRequire(import.meta.url).resolve('netlink/package.json'));
    const file = join(home, 'prebuilds', `linux-${process.arch}`, 'node.napi.node');
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

/** Why no socket can be had from the prebuilt binding; undefined if one can, as far as is known unloaded. */
export function prebuiltUnavailable(): string | undefined {
  if (process.platform !== 'linux') return `netlink exists on Linux only; this is ${process.platform}`;
  if (!isMainThread) return 'the prebuilt binding closes descriptors of other threads when a worker ends';
  if (binding || hasEmbedded() || installedFile()) return undefined;
  return `there is no prebuilt binding for linux-${process.arch} (npm package netlink: arm, arm64, ia32, x64)`;
}

function load(): NativeBinding {
  if (hasEmbedded()) return loadEmbedded() as NativeBinding;
  const file = installedFile()!;
  const loaded = { exports: {} };
  try {
    process.dlopen(loaded, file);
  } catch (error) {
    const advice = `${(error as Error).message}; Node 26.9 or later needs no binding, and the single-file resteer carries one for musl`;
    throw new TransportError('dlopen', 'ENOEXEC', advice, { cause: error });
  }
  return loaded.exports as NativeBinding;
}

function construct(protocol: number): NativeNetlink {
  try {
    return new binding!.NativeNetlink(
      protocol,
      0,
      () => {},
      () => {},
    );
  } catch (error) {
    throw socketErrorFrom('socket', error);
  }
}

/**
 * Makes a netlink socket.
 * @throws TransportError ENOSYS without a binding, ENOEXEC if it does not load, or what socket(2) said.
 */
export function makePrebuilt(protocol: number): NetlinkDescriptor {
  const unavailable = prebuiltUnavailable();
  if (unavailable) throw new TransportError('dlopen', 'ENOSYS', unavailable);
  binding ??= load();
  const before = new Set(socketDescriptors());
  const native = construct(protocol);
  const made = socketDescriptors().filter((fd) => !before.has(fd));
  if (made.length !== 1) {
    const advice = `the new socket cannot be told from ${made.length} new descriptors in /proc/self/fd: open it again`;
    throw new TransportError('socket', 'EAGAIN', advice);
  }
  return {
    fd: made[0]!,
    join(group) {
      try {
        native.addMembership(group);
      } catch (error) {
        throw socketErrorFrom(`setsockopt NETLINK_ADD_MEMBERSHIP ${group}`, error);
      }
    },
  };
}
