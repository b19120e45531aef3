import { IPSET_CMD } from '../../ipset/constants.ts';
import { KernelSession } from '../../ipset/kernelSession.ts';
import { setTypeOf } from '../../ipset/setType.ts';
import { ipset } from '../../ipset/subsystem.ts';
import { type KernelError, openConnection, type Requester } from '../../nfnetlink/index.ts';
import { isNetlinkError } from '../errors.ts';
import { kernelErrorText } from './errorText.ts';
import type { KnownType } from './knownType.ts';
import type { TypeGrammar } from './typeGrammar.ts';
import { findGrammar } from './typeTable.ts';

/** A whole /8 of hosts may take the kernel a while. */
const PATIENCE = 3_600_000;

/** A set in this process's memory: its type, and the family of its addresses. */
export interface CachedSet {
  readonly type: KnownType;
  readonly family: number;
}

/** The outcome of what was asked of the kernel: a value, or what to say. */
export type Answer<T> = { readonly value: T } | { readonly error: string };

/** How a connection is made; tests hand in a scripted kernel. */
export type OpenRequester = () => Promise<Requester>;

const openSystem: OpenRequester = () => openConnection({ subsystems: [ipset], timeout: PATIENCE });

/** The kernel's side of the command line: opened at the first question, and asked once. */
export class Kernel {
  #session: Promise<KernelSession> | undefined;
  readonly #open: OpenRequester;
  readonly #types = new Map<string, KnownType>();

  constructor(open: OpenRequester = openSystem) {
    this.#open = open;
  }

  session(): Promise<KernelSession> {
    this.#session ??= this.#open().then((requester) => new KernelSession(requester));
    return this.#session;
  }

  /** A set type at the newest revision that both sides know, where it was asked for before. */
  knownType(name: string): KnownType | undefined {
    return this.#types.get(name);
  }

  /** Asks for the revisions of a set type. */
  async learnType(grammar: TypeGrammar, family: number): Promise<Answer<KnownType>> {
    const type = setTypeOf(grammar.name);
    return this.#ask(IPSET_CMD.TYPE, async (session) => {
      const kernel = await session.revisions(type, family);
      const complaint = mismatch(grammar, family, type.revision, kernel);
      if (complaint !== undefined) throw new Refused(complaint);
      const known = { type, grammar, revision: Math.min(type.revision, kernel.newest) };
      this.#types.set(grammar.name, known);
      return known;
    });
  }

  /** Asks for the type and family of a set. */
  learnSet(setName: string): Promise<Answer<CachedSet>> {
    return this.#ask(IPSET_CMD.HEADER, async (session) => {
      const { type, family, revision } = await session.learn(setName);
      return { type: { type, grammar: findGrammar(type.name)!, revision }, family };
    });
  }

  /** Asks for the protocol version; says what to print where the kernel has none in common. */
  async checkProtocol(): Promise<Answer<number>> {
    return this.#ask(IPSET_CMD.PROTOCOL, (session) => session.protocol());
  }

  async #ask<T>(command: number, ask: (session: KernelSession) => Promise<T>): Promise<Answer<T>> {
    try {
      return { value: await ask(await this.session()) };
    } catch (error) {
      return { error: describeFailure(error, command) };
    }
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    await session?.requester.close();
  }
}

class Refused extends Error {}

/**
 * What to say of an error of the kernel or the socket.
 * @throws what is neither
 */
export function describeFailure(error: unknown, command: number): string {
  if (error instanceof Refused) return error.message;
  if (!isNetlinkError(error)) throw error;
  if (error.kind === 'kernel') return kernelErrorText((error as KernelError).errno, command);
  if (error.kind === 'transport') return `Cannot open session to kernel: ${error.message}`;
  return error.message;
}

function mismatch(
  { name, firstRevision }: TypeGrammar,
  family: number,
  newest: number,
  kernel: { readonly newest: number; readonly oldest: number },
): string | undefined {
  if (kernel.oldest <= newest && kernel.newest >= firstRevision) return undefined;
  const familyName = family === 2 ? 'INET' : family === 10 ? 'INET6' : 'UNSPEC';
  const [which, revision, mine] =
    kernel.oldest > newest
      ? ([
          'minimal',
          kernel.oldest,
          `maximal revision ${newest}.\nYou need to upgrade your ipset program.`,
        ] as const)
      : ([
          'maximal',
          kernel.newest,
          `minimal revision ${firstRevision}.\nYou need to upgrade your kernel.`,
        ] as const);
  return (
    `Kernel supports ${name} type, family ${familyName} with ${which} revision ${revision} ` +
    `while ipset program with ${mine}`
  );
}
