import { type FileHandle, open } from 'node:fs/promises';
import { IPSET_CMD } from '../../ipset/constants.ts';
import type { KernelSession } from '../../ipset/kernelSession.ts';
import { listMessage } from '../../ipset/messages.ts';
import { type Io, write } from '../io.ts';
import { ElementView } from './elementView.ts';
import type { Hosts } from './hosts.ts';
import { JsonWriter } from './jsonWriter.ts';
import { type ListingWriter, type Scope, TextWriter } from './listingWriter.ts';
import type { NetworkDatabase } from './netdb.ts';
import { readListedMessage } from './setHeader.ts';
import type { OutputMode, Settings } from './settings.ts';

export interface ListRequest {
  readonly command: typeof IPSET_CMD.LIST | typeof IPSET_CMD.SAVE;
  readonly setName: string | undefined;
  readonly mode: OutputMode;
}

export interface ListContext {
  readonly session: KernelSession;
  readonly settings: Settings;
  readonly hosts: Hosts;
  readonly database: NetworkDatabase;
}

/** Where a listing goes: standard output, or a file. */
export interface Sink {
  write(text: string): Promise<void> | undefined;
  close(): Promise<void>;
}

/** Standard output, waited for while its reader is slow. */
export function streamSink(io: Io): Sink {
  return { write: (text) => write(io.stdout, text), close: async () => {} };
}

/** A new file, or an old one that is emptied. */
export async function fileSink(path: string): Promise<Sink> {
  const file: FileHandle = await open(path, 'w');
  return {
    write: async (text) => {
      await file.write(text);
    },
    close: () => file.close(),
  };
}

// a write for each message would cost more than printing it
const GATHER = 1 << 16;

/** Prints sets as the kernel delivers them, so that memory does not grow with them. */
export async function list(request: ListRequest, context: ListContext, sink: Sink): Promise<void> {
  const { session, settings, hosts } = context;
  const view = new ElementView(context.database);
  const scope = scopeOf(request, settings);
  const writer = writerOf(request, scope, settings, view);
  const message = listMessage(
    request.command,
    await session.protocol(),
    request.setName,
    kernelScope(request, scope),
  );
  const names = settings.isResolving ? new NameFinder(hosts) : undefined;
  const entries = session.requester.dump(message, (bytes, start, end) =>
    names ? bytes.slice(start, end) : writer.take(bytes, readListedMessage(bytes, start, end)),
  );
  let pending = writer.begin();
  for await (const entry of entries) {
    pending += typeof entry === 'string' ? entry : await takeWithNames(entry, writer, view, names!);
    if (pending.length < GATHER) continue;
    await sink.write(pending);
    pending = '';
  }
  pending += writer.end();
  if (pending !== '') await sink.write(pending);
}

/** What is shown; `save` shows everything. */
function scopeOf({ mode, command }: ListRequest, { namesOnly, isTerse }: Settings): Scope {
  if (mode === 'save') return 'elements';
  if (namesOnly) return 'names';
  return isTerse && (command === IPSET_CMD.LIST || isTerse) ? 'headers' : 'elements';
}

/** What the kernel is asked for: SAVE has no flags. */
function kernelScope({ command }: ListRequest, scope: Scope): Scope {
  return command === IPSET_CMD.LIST ? scope : 'elements';
}

function writerOf({ mode }: ListRequest, scope: Scope, settings: Settings, view: ElementView): ListingWriter {
  const { isSorted, isResolving } = settings;
  if (mode === 'json') return new JsonWriter(view, { scope, isSorted });
  return new TextWriter(view, { mode, scope, isSorted, isResolving });
}

/** Finds out which addresses of a message have no name yet. */
class NameFinder {
  readonly #hosts: Hosts;
  readonly #unknown = new Set<string>();
  constructor(hosts: Hosts) {
    this.#hosts = hosts;
  }

  readonly note = (address: string): string => {
    const name = this.#hosts.nameOf(address);
    if (name === undefined) this.#unknown.add(address);
    return name ?? address;
  };

  async learn(): Promise<void> {
    for (const address of this.#unknown) await this.#hosts.learnName(address);
    this.#unknown.clear();
  }
}

/** Reads a message twice: for its addresses, whose names are asked for, and for its text. */
async function takeWithNames(
  bytes: Uint8Array,
  writer: ListingWriter,
  view: ElementView,
  names: NameFinder,
): Promise<string> {
  const message = readListedMessage(bytes, 0, bytes.length);
  view.showWith(names.note);
  new TextWriter(view, { mode: 'plain', scope: 'elements', isSorted: false, isResolving: true }).take(
    bytes,
    message,
  );
  await names.learn();
  return writer.take(bytes, message);
}
