import { release } from 'node:os';
import { type KernelFeatures, kernelFeatures } from '../../ctnetlink/filterPlan.ts';
import { ctnetlink, ctnetlinkExp } from '../../ctnetlink/subsystem.ts';
import { openConnection } from '../../nfnetlink/open.ts';
import type { Requester } from '../../nfnetlink/requester.ts';
import type { Io } from '../io.ts';
import { Output } from '../output.ts';

/**
 * What a command works with: its streams, and connections that are opened when they are first needed. One is
 * for lists and questions, one for changes: while a list waits for its reader, changes go on.
 */
export class Session {
  readonly io: Io;
  readonly output: Output;
  readonly features: KernelFeatures;
  private readonly open: () => Promise<Requester>;
  private asking: Promise<Requester> | undefined;
  private changing: Promise<Requester> | undefined;

  constructor(io: Io, open: () => Promise<Requester> = openRequester, kernelRelease: string = release()) {
    this.io = io;
    this.output = new Output(io.stdout);
    this.open = open;
    this.features = kernelFeatures(kernelRelease);
  }

  get questions(): Promise<Requester> {
    this.asking ??= this.open();
    return this.asking;
  }
  get changes(): Promise<Requester> {
    this.changing ??= this.open();
    return this.changing;
  }

  /** A line, or part of one, on standard error; what was gathered for standard output goes first. */
  tell(text: string): void {
    this.output.flush();
    this.io.stderr.write(text);
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled([this.asking, this.changing]);
    for (const each of opened) if (each.status === 'fulfilled') await each.value?.close();
  }
}

function openRequester(): Promise<Requester> {
  return openConnection({ subsystems: [ctnetlink, ctnetlinkExp] });
}
