import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { IPSET_ATTR_ADT, IPSET_ATTR_CADT, IPSET_CMD } from '../../ipset/constants.ts';
import type { KernelSession } from '../../ipset/kernelSession.ts';
import { listMessage } from '../../ipset/messages.ts';
import { Output } from '../output.ts';
import { ElementView } from './elementView.ts';
import type { Hosts } from './hosts.ts';
import { jsonForm } from './jsonForm.ts';
import { type ListingForm, plainForm, type Scope, saveForm, xmlForm } from './listingForm.ts';
import { eachElement, ListingWriter } from './listingWriter.ts';
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

const forms: Readonly<Record<OutputMode, ListingForm>> = {
  plain: plainForm,
  save: saveForm,
  xml: xmlForm,
  json: jsonForm,
};

/**
 * Lets `work` write to a new file, or to an old one that is emptied.
 * @throws the system's error where the file cannot be opened or written
 */
export async function writeFile(path: string, work: (output: Output) => Promise<void>): Promise<void> {
  const file = await open(path, 'w');
  const stream = file.createWriteStream();
  const written = finished(stream);
  // told below, whichever comes first
  written.catch(() => {});
  try {
    await work(new Output(stream));
  } finally {
    stream.end();
  }
  await written;
}

/** Whether a file could not be opened, which `writeFile` and reading a file say by this. */
export function isOpenFailure(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'open';
}

/** Prints sets as the kernel delivers them, so that memory does not grow with them. */
export async function list(request: ListRequest, context: ListContext, output: Output): Promise<void> {
  const { session, settings, hosts } = context;
  const { isSorted, isResolving } = settings;
  const view = new ElementView(context.database);
  const scope = scopeOf(request, settings);
  const options = { scope, isSorted, isResolving };
  const writer = new ListingWriter(output, view, forms[request.mode], options);
  const message = listMessage(
    request.command,
    await session.protocol(),
    request.setName,
    kernelScope(request, scope),
  );
  const names = isResolving ? new NameFinder(hosts, view) : undefined;
  let named = Promise.resolve();
  await session.requester.visit(message, (bytes, start, end) => {
    if (names) {
      // names are asked for one after the other: the message must outlive the call
      const kept = bytes.slice(start, end);
      named = named.then(async () => {
        const listed = readListedMessage(kept, 0, kept.length);
        await names.learn(kept, listed);
        writer.take(kept, listed);
        await output.drained();
      });
      return named;
    }
    writer.take(bytes, readListedMessage(bytes, start, end));
    // the kernel keeps the rest while the reader is slow
    return output.isFull ? output.drained() : undefined;
  });
  await named;
  writer.end();
  await output.drained();
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

/** Asks for the names of the addresses in a message, once each. */
class NameFinder {
  readonly #hosts: Hosts;
  readonly #view: ElementView;

  constructor(hosts: Hosts, view: ElementView) {
    this.#hosts = hosts;
    this.#view = view;
    view.showWith((address) => hosts.nameOf(address) ?? address);
  }

  async learn(bytes: Uint8Array, message: ReturnType<typeof readListedMessage>): Promise<void> {
    const addresses: string[] = [];
    eachElement(bytes, message, this.#view, () => {
      for (const type of [IPSET_ATTR_CADT.IP, IPSET_ATTR_ADT.IP2]) {
        if (this.#view.has(type)) addresses.push(this.#view.address(type));
      }
    });
    for (const address of addresses) await this.#hosts.learnName(address);
  }
}
