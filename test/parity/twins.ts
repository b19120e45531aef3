import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { addNamespace, sh } from '../support/namespace.ts';
import type { Outcome, Step } from './tool.ts';

const AGENT = fileURLToPath(new URL('./agent.ts', import.meta.url));

/** One namespace and the agent in it. */
export class Twin {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string>;

  constructor(suffix: string) {
    const name = addNamespace(suffix);
    // events that nobody waits for cost nothing here, and both sides have the same
    sh('ip', 'netns', 'exec', name, 'sysctl', '-qw', 'net.netfilter.nf_conntrack_acct=1');
    this.child = spawn('ip', ['netns', 'exec', name, process.execPath, ...process.execArgv, AGENT]);
    this.child.stderr.pipe(process.stderr);
    const lines: Interface = createInterface({ input: this.child.stdout });
    this.answers = lines[Symbol.asyncIterator]();
  }

  /** Runs a command line of the real program, or of ours, and resolves with what it did. */
  async run(program: 'real' | 'ours', name: string, { args, input }: Step): Promise<Outcome> {
    this.child.stdin.write(`${JSON.stringify({ program, name, args, input })}\n`);
    const answer = await this.answers.next();
    if (answer.done) throw new Error(`the agent ended at: ${name} ${args.join(' ')}`);
    return JSON.parse(answer.value) as Outcome;
  }

  end(): void {
    this.child.stdin.end();
  }
}

/** Keeps a list of failures readable: the first lines of each side. */
export function excerpt(text: string): string {
  const lines = text.split('\n');
  return lines.length > 12 ? [...lines.slice(0, 12), `... ${lines.length - 12} more`].join('\n') : text;
}
