/**
 * The model kernel's tables behind scripted transports, without a time of their own: a test changes an entry or a set
 * between two steps, hooks in and answers in their place, and sees what was asked.
 */
import {
  type CompleteTuple,
  ctnetlink,
  type FlowAttributes,
  flowAttributes,
  IPCTNL_MSG_CT,
} from '../../src/ctnetlink/index.ts';
import {
  elementRequest,
  encodeElement,
  findSetType,
  IPSET_CMD,
  ipset,
  parseElement,
} from '../../src/ipset/index.ts';
import {
  answerConntrack,
  answerIpset,
  type ConntrackEntry,
  ConntrackTable,
  ModelSet,
  type Outcome,
} from '../../src/model/index.ts';
import {
  ATTRIBUTES_AT,
  type Clock,
  commandOf,
  messageFlags,
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

/** What was asked, in order. */
export type Act =
  | { readonly do: 'get'; readonly key: string; readonly returned: ConntrackEntry | undefined }
  | { readonly do: 'delete'; readonly key: string; readonly id: number | undefined; readonly errno: number }
  | { readonly do: 'unpin'; readonly set: string; readonly element: string }
  | { readonly do: 'test'; readonly set: string; readonly element: string };

export class FakeKernel {
  readonly conntrack: ConntrackTable;
  readonly sets = new Map<string, ModelSet>();
  readonly acts: Act[] = [];
  /** Called before a request is answered; answers in place of the tables where it returns replies. */
  fault: (request: ScriptedRequest) => readonly Reply[] | undefined = () => undefined;
  readonly ctTransport = new ScriptedTransport({ subsystems: [ctnetlink] });
  readonly ipsetTransport = new ScriptedTransport({ subsystems: [ipset] });
  readonly ctnetlink: RequestConnection;
  readonly ipset: RequestConnection;
  readonly #now: () => number;

  constructor(clock: Clock) {
    this.#now = () => clock.now();
    this.conntrack = new ConntrackTable(this.#now);
    this.ctTransport.program((request) => this.fault(request) ?? this.#conntrack(request));
    this.ipsetTransport.program((request) => this.fault(request) ?? this.#ipset(request));
    this.ctnetlink = new RequestConnection(this.ctTransport, { subsystems: [ctnetlink], clock });
    this.ipset = new RequestConnection(this.ipsetTransport, { subsystems: [ipset], clock });
  }

  add(entry: ConntrackEntry): ConntrackEntry {
    this.conntrack.put(entry);
    return entry;
  }

  remove(entry: ConntrackEntry): void {
    this.conntrack.remove(entry);
  }

  has(entry: ConntrackEntry): boolean {
    return this.conntrack.has(entry);
  }

  /** Makes a set, in place of one of this name. */
  addSet(name: string, elements: readonly string[] = [], typeName = 'hash:ip', family = 2): void {
    const type = findSetType(typeName)!;
    this.sets.set(name, new ModelSet(type, family, type.revision, {}, this.#now));
    for (const element of elements) this.fill(name, element);
  }

  /** Adds an element as ipset writes it: '203.0.113.1', '203.0.113.1,tcp:443', '192.168.50.2,0x200'. */
  fill(name: string, element: string): void {
    const set = this.sets.get(name)!;
    const { type, family, revision } = set;
    set.add(encodeElement(parseElement(element, type), { name, type, family, revision }, 'add'), false);
  }

  /** What of one kind was asked so far. */
  did<K extends Act['do']>(kind: K): Extract<Act, { do: K }>[] {
    return this.acts.filter((act): act is Extract<Act, { do: K }> => act.do === kind);
  }

  #conntrack(request: ScriptedRequest): readonly Reply[] {
    const { bytes, type } = request;
    const asked = flowAttributes.decode(bytes, ATTRIBUTES_AT, bytes.length);
    const isDump = (messageFlags(bytes, 0) & NLM_F.DUMP) === NLM_F.DUMP;
    // the real one would empty the table
    if (!isDump && !asked.originalTuple) throw new Error('a request without a tuple');
    const found = isDump ? undefined : this.conntrack.find(asked.originalTuple as CompleteTuple, asked.zone);
    const returned = found && { ...found };
    const outcome = answerConntrack(this.conntrack, request, this.#now);
    if (!isDump) this.#note(commandOf(type), asked, returned, outcome.errno);
    return repliesOf(outcome);
  }

  #note(
    command: number,
    { originalTuple, zone, id }: FlowAttributes,
    returned: ConntrackEntry | undefined,
    errno: number,
  ): void {
    const key = JSON.stringify([zone, originalTuple]);
    if (command === IPCTNL_MSG_CT.GET) this.acts.push({ do: 'get', key, returned });
    else this.acts.push({ do: 'delete', key, id, errno });
  }

  #ipset(request: ScriptedRequest): readonly Reply[] {
    const { bytes, type } = request;
    const command = commandOf(type);
    if (command === IPSET_CMD.TEST || command === IPSET_CMD.DEL) {
      const { setName: set = '', data: asked = {} } = elementRequest.decode(
        bytes,
        ATTRIBUTES_AT,
        bytes.length,
      );
      this.acts.push({ do: command === IPSET_CMD.TEST ? 'test' : 'unpin', set, element: elementText(asked) });
    }
    return repliesOf(answerIpset(this.sets, request, this.#now));
  }
}

function repliesOf({ errno, data: messages = [], dump: next }: Outcome): readonly Reply[] {
  if (!next) return [data(...messages), ack(errno)];
  const listed: Uint8Array[] = [];
  for (let message = next(); message; message = next()) listed.push(message);
  return [dump(listed)];
}

function elementText({ ip, ip2, protocol, port, mark }: Record<string, unknown>): string {
  const ports = port === undefined ? undefined : protocol === undefined ? `${port}` : `${protocol}:${port}`;
  const shown = mark === undefined ? undefined : `0x${(mark as number).toString(16)}`;
  return [ip, ports, ip2, shown].filter((part) => part !== undefined).join(',');
}
