import { TransportError } from '../errors.ts';
import type { Transport, TransportOptions } from '../transport.ts';
import { ffiUnavailable, openFfi } from './ffi.ts';
import { handleUnavailable, openHandle } from './handle.ts';
import { inheritedSockets, takeInherited } from './inheritedFd.ts';
import { makePrebuilt, prebuiltUnavailable } from './prebuiltBinding.ts';
import { NETLINK_NETFILTER } from './socketConstants.ts';

/** The transports that reach a kernel. */
export type SystemTransportKind = 'ffi' | 'handle';

export interface TransportDescription {
  /** What `openTransport` would use now; undefined if nothing can be used. */
  readonly kind: SystemTransportKind | undefined;
  readonly why: string;
  readonly available: readonly {
    readonly kind: SystemTransportKind;
    readonly usable: boolean;
    readonly reason: string;
  }[];
}

const variable = 'RESTEER_TRANSPORT';

function forced(): SystemTransportKind | undefined {
  const value = process.env[variable];
  if (value === undefined || value === '') return undefined;
  if (value === 'ffi' || value === 'handle') return value;
  throw new TransportError(
    variable,
    'EINVAL',
    `"${value}" is not a transport: use ffi or handle, or unset it`,
  );
}

function describeFfi() {
  const missing = ffiUnavailable();
  const reason = missing ?? `node:ffi of Node ${process.versions.node}; nothing native is loaded`;
  return { kind: 'ffi', usable: missing === undefined, reason } as const;
}

function describeHandle() {
  const missing = handleUnavailable();
  if (missing) return { kind: 'handle', usable: false, reason: missing } as const;
  const inherited = inheritedSockets().map(({ fd, name }) => (name ? `${fd} (${name})` : String(fd)));
  const noPrebuilt = prebuiltUnavailable();
  const sources = [
    ...(inherited.length > 0 ? [`inherited descriptors ${inherited.join(', ')}`] : []),
    noPrebuilt ?? 'the prebuilt binding of npm netlink makes the socket',
  ];
  const usable = inherited.length > 0 || noPrebuilt === undefined;
  return { kind: 'handle', usable, reason: sources.join('; ') } as const;
}

/**
 * Which transport this process would use and why. Opens nothing, loads no native code.
 * @throws TransportError EINVAL if RESTEER_TRANSPORT is neither `ffi` nor `handle`.
 */
export function describeTransport(): TransportDescription {
  const wanted = forced();
  const available = [describeFfi(), describeHandle()] as const;
  const chosen = wanted
    ? available.find(({ kind, usable }) => kind === wanted && usable)
    : available.find(({ usable }) => usable);
  if (wanted) {
    const { reason } = available.find(({ kind }) => kind === wanted)!;
    return { kind: chosen?.kind, why: `${variable}=${wanted}: ${reason}`, available };
  }
  const why = chosen?.reason ?? available.map(({ kind, reason }) => `${kind}: ${reason}`).join('; ');
  return { kind: chosen?.kind, why, available };
}

/**
 * Opens a netlink socket by the best means of this runtime: node:ffi, else Node's UDP handle over an
 * inherited descriptor, else over one that the prebuilt binding makes.
 * @throws TransportError ENOSYS if there is no means; EPROTONOSUPPORT without that netlink family in the
 *   kernel; EPERM if it may not join a group (CAP_NET_ADMIN); EINVAL for a bad RESTEER_TRANSPORT.
 */
export async function openTransport(options: TransportOptions = {}): Promise<Transport> {
  if (process.platform !== 'linux') {
    const advice = `netlink exists on Linux only; this is ${process.platform}. The codecs work everywhere`;
    throw new TransportError('socket', 'EAFNOSUPPORT', advice);
  }
  const wanted = forced();
  if (wanted === 'ffi' || (wanted === undefined && ffiUnavailable() === undefined)) return openFfi(options);
  const missing = handleUnavailable();
  if (missing) throw new TransportError('udp_wrap', 'ENOSYS', missing);
  const descriptor = takeInherited(options) ?? makePrebuilt(options.protocol ?? NETLINK_NETFILTER);
  return openHandle(descriptor, options);
}
