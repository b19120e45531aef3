/**
 * Connection tracking and ipset as JavaScript maps, behind scripted transports: what they answer to GET,
 * DELETE, dumps, TEST, HEADER and LIST is what the real ones do, and a test changes the maps or hooks in between.
 */
import type { CompleteTuple } from '../../src/ctnetlink/index.ts';
import { ctnetlink, flowAttributes, IPCTNL_MSG_CT, invertTuple } from '../../src/ctnetlink/index.ts';
import { elementRequest, plainRequest, protocolReply, setReply } from '../../src/ipset/attributes.ts';
import { IPSET_CMD, ipset } from '../../src/ipset/index.ts';
import {
  ATTRIBUTES_AT,
  type Clock,
  commandOf,
  encodeRequest,
  messageFamily,
  messageFlags,
  messageTypeOf,
  NFNL_SUBSYS,
  NLM_F,
  RequestConnection,
} from '../../src/nfnetlink/index.ts';
import {
  ack,
  data,
  dump,
  type Reply,
  type ScriptedRequest,
  ScriptedTransport,
} from '../../src/testing/index.ts';

export const ENOENT = 2;
const MISS = 4103;

/** An entry of the table. */
export interface FakeEntry {
  tuple: CompleteTuple;
  id: number;
  mark: number;
  status?: number;
  /** The zone of both directions. */
  zone?: number;
  /** Nanoseconds since 1970, where nf_conntrack_timestamp is on. */
  start?: bigint;
  /** An errno with which the kernel refuses to delete it: 16 for an offloaded flow. */
  refusal?: number;
}

export interface FakeSet {
  typeName: string;
  family: number;
  /** '203.0.113.1', '203.0.113.1,6:443', '192.168.50.2,0x200': what a TEST or DEL asks for. */
  elements: Set<string>;
}

/** What was asked, in order. */
export type Act =
  | { readonly do: 'get'; readonly key: string; readonly returned: FakeEntry | undefined }
  | { readonly do: 'delete'; readonly key: string; readonly id: number | undefined; readonly errno: number }
  | { readonly do: 'unpin'; readonly set: string; readonly element: string }
  | { readonly do: 'test'; readonly set: string; readonly element: string };

export class FakeKernel {
  readonly entries = new Map<string, FakeEntry>();
  readonly sets = new Map<string, FakeSet>();
  readonly acts: Act[] = [];
  /** Called before a request is answered; answers in place of the maps where it returns replies. */
  fault: (request: ScriptedRequest) => readonly Reply[] | undefined = () => undefined;
  readonly ctTransport = new ScriptedTransport({ subsystems: [ctnetlink] });
  readonly ipsetTransport = new ScriptedTransport({ subsystems: [ipset] });
  readonly ctnetlink: RequestConnection;
  readonly ipset: RequestConnection;

  constructor(clock: Clock) {
    this.ctTransport.program((request) => this.fault(request) ?? this.#conntrack(request));
    this.ipsetTransport.program((request) => this.fault(request) ?? this.#ipset(request));
    this.ctnetlink = new RequestConnection(this.ctTransport, { subsystems: [ctnetlink], clock });
    this.ipset = new RequestConnection(this.ipsetTransport, { subsystems: [ipset], clock });
  }

  add(entry: FakeEntry): FakeEntry {
    this.entries.set(keyOf(entry.tuple, entry.zone), entry);
    return entry;
  }

  remove(entry: FakeEntry): void {
    this.entries.delete(keyOf(entry.tuple, entry.zone));
  }

  has(entry: FakeEntry): boolean {
    return this.entries.get(keyOf(entry.tuple, entry.zone)) === entry;
  }

  addSet(name: string, elements: readonly string[] = [], typeName = 'hash:ip', family = 2): FakeSet {
    const set = { typeName, family, elements: new Set(elements) };
    this.sets.set(name, set);
    return set;
  }

  /** What of one kind was asked so far. */
  did<K extends Act['do']>(kind: K): Extract<Act, { do: K }>[] {
    return this.acts.filter((act): act is Extract<Act, { do: K }> => act.do === kind);
  }

  #conntrack({ type, bytes }: ScriptedRequest): readonly Reply[] {
    const command = commandOf(type);
    const { originalTuple, zone, id, mark, markMask } = flowAttributes.decode(
      bytes,
      ATTRIBUTES_AT,
      bytes.length,
    );
    if (command === IPCTNL_MSG_CT.GET && (messageFlags(bytes, 0) & NLM_F.DUMP) === NLM_F.DUMP) {
      const family = messageFamily(bytes, 0);
      const listed = [...this.entries.values()].filter(
        (entry) =>
          (family === 0 || familyOf(entry.tuple) === family) &&
          (mark === undefined || (entry.mark & (markMask ?? 0xffffffff)) >>> 0 === mark),
      );
      return [dump(listed.map((entry) => entryMessage(entry)))];
    }
    // the real one would empty the table
    if (!originalTuple) throw new Error('a request without a tuple');
    const key = keyOf(originalTuple as CompleteTuple, zone);
    const entry = this.entries.get(key);
    if (command === IPCTNL_MSG_CT.GET) {
      this.acts.push({ do: 'get', key, returned: entry && { ...entry } });
      return entry ? [data(entryMessage(entry)), ack()] : [ack(ENOENT)];
    }
    const errno = !entry || (id !== undefined && entry.id !== id) ? ENOENT : (entry.refusal ?? 0);
    this.acts.push({ do: 'delete', key, id, errno });
    if (errno === 0) this.entries.delete(key);
    return [ack(errno)];
  }

  #ipset({ type, bytes }: ScriptedRequest): readonly Reply[] {
    const command = commandOf(type);
    if (command === IPSET_CMD.PROTOCOL) {
      return [data(ipsetReply(command, protocolReply, { protocol: 7, protocolMin: 6 })), ack()];
    }
    const isOfElement = command === IPSET_CMD.TEST || command === IPSET_CMD.DEL;
    const asked = isOfElement ? elementRequest : plainRequest;
    const request = asked.decode(bytes, ATTRIBUTES_AT, bytes.length);
    const name = request.setName ?? '';
    const set = this.sets.get(name);
    const element = elementText(
      (isOfElement && (request as ReturnType<typeof elementRequest.decode>).data) || {},
    );
    if (command === IPSET_CMD.DEL) {
      this.acts.push({ do: 'unpin', set: name, element });
      // like the real one without NLM_F_EXCL, it takes a missing element for a deleted one
      set?.elements.delete(element);
      return [ack(set ? 0 : ENOENT)];
    }
    if (command === IPSET_CMD.TEST) {
      this.acts.push({ do: 'test', set: name, element });
      return [ack(!set ? ENOENT : set.elements.has(element) ? 0 : MISS)];
    }
    if (!set) return [ack(ENOENT)];
    const { typeName, family, elements } = set;
    const head = { protocol: 7, setName: name, typeName, family, revision: 1 };
    if (command === IPSET_CMD.HEADER) return [data(ipsetReply(command, setReply, head)), ack()];
    const listed = [...elements].map((text) => {
      const [ip, cidr] = text.split('/');
      return { ip: ip!, ...(cidr !== undefined && { cidr: Number(cidr) }) };
    });
    const whole = { ...head, data: { elements: elements.size }, elements: { data: listed } };
    return [dump([ipsetReply(command, setReply, whole)])];
  }
}

/** The message of an entry, as GET, dumps and, with these flags, NEW events carry it. */
export function entryMessage({ tuple, id, mark, status, zone, start }: FakeEntry, flags = 0): Uint8Array {
  const type = messageTypeOf(NFNL_SUBSYS.CTNETLINK, IPCTNL_MSG_CT.NEW);
  return encodeRequest({ type, flags, family: familyOf(tuple) }, flowAttributes, {
    originalTuple: tuple,
    replyTuple: invertTuple(tuple),
    id,
    status: status ?? 0x18e,
    ...(mark !== 0 && { mark }),
    ...(zone !== undefined && { zone }),
    ...(start !== undefined && { timestamps: { start } }),
  });
}

/** The NEW event of an entry. */
export function newEvent(entry: FakeEntry): Uint8Array {
  return entryMessage(entry, NLM_F.CREATE | NLM_F.EXCL);
}

export function keyOf(tuple: CompleteTuple, zone = 0): string {
  return JSON.stringify([
    zone,
    ...Object.entries(tuple)
      .filter(([, value]) => value !== undefined)
      .sort(),
  ]);
}

function familyOf({ source }: CompleteTuple): number {
  return source.includes(':') ? 10 : 2;
}

function elementText({ ip, ip2, protocol, port, mark }: Record<string, unknown>): string {
  const ports = port === undefined ? undefined : protocol === undefined ? `${port}` : `${protocol}:${port}`;
  const shown = mark === undefined ? undefined : `0x${(mark as number).toString(16)}`;
  return [ip, ports, ip2, shown].filter((part) => part !== undefined).join(',');
}

function ipsetReply<T>(command: number, codec: Parameters<typeof encodeRequest<T>>[1], value: T): Uint8Array {
  return encodeRequest(
    { type: messageTypeOf(NFNL_SUBSYS.IPSET, command), flags: 0, family: 2 },
    codec,
    value,
  );
}
