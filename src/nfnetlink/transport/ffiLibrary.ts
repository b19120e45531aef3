import type { DynamicLibrary, DynamicLibraryResult } from 'node:ffi';

type Ffi = typeof import('node:ffi');

/** libc and libuv, both of which are in Node's own process image. Types as on 64-bit Linux. */
const definitions = {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  bind: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
  getsockname: { arguments: ['i32', 'buffer', 'buffer'], return: 'i32' },
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'u32'], return: 'i32' },
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
  recvmmsg: { arguments: ['i32', 'pointer', 'u32', 'i32', 'pointer'], return: 'i32' },
  send: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  close: { arguments: ['i32'], return: 'i32' },
  __errno_location: { arguments: [], return: 'pointer' },
  uv_handle_size: { arguments: ['i32'], return: 'u64' },
  uv_poll_init: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  uv_poll_start: { arguments: ['pointer', 'i32', 'pointer'], return: 'i32' },
  uv_poll_stop: { arguments: ['pointer'], return: 'i32' },
  uv_close: { arguments: ['pointer', 'pointer'], return: 'void' },
  uv_ref: { arguments: ['pointer'], return: 'void' },
  uv_unref: { arguments: ['pointer'], return: 'void' },
} as const;

export interface FfiLibrary {
  readonly ffi: Ffi;
  readonly lib: DynamicLibrary;
  readonly c: DynamicLibraryResult<typeof definitions>['functions'];
  /** This thread's errno after a call of `c` that failed; read it before anything else is called. */
  errno(): number;
  /** sizeof(uv_poll_t). */
  readonly pollSize: number;
}

const UV_POLL = 8; // uv.h: UV_HANDLE_TYPE_MAP
const widths64: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];

let loaded: FfiLibrary | string | undefined;

function load(): FfiLibrary | string {
  if (process.platform !== 'linux') return `netlink exists on Linux only; this is ${process.platform}`;
  if (!widths64.includes(process.arch)) {
    return `its structures are laid out for little-endian 64-bit machines; this is ${process.arch}`;
  }
  try {
    const ffi = process.getBuiltinModule?.('node:ffi');
    if (!ffi) {
      return `Node ${process.versions.node} has no node:ffi (26.9 has; 26.1 to 26.8 with --experimental-ffi)`;
    }
    const { lib, functions: c } = ffi.dlopen(null, definitions);
    const errno = new Int32Array(ffi.toArrayBuffer(c.__errno_location(), 4, false));
    return { ffi, lib, c, errno: () => errno[0]!, pollSize: Number(c.uv_handle_size(UV_POLL)) };
  } catch (error) {
    return `node:ffi cannot be used: ${(error as Error).message}`;
  }
}

/**
 * The system's functions through node:ffi, or the reason why there are none. Loads them at the first
 * call (Node then prints its ExperimentalWarning), never at import; does not throw.
 */
export function ffiLibrary(): FfiLibrary | string {
  loaded ??= load();
  return loaded;
}
