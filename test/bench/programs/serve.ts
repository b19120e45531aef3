import { createInterface } from 'node:readline';

/** Answers questions on standard input until it ends: one JSON line each. */
export function serve(commands: Readonly<Record<string, (argument: never) => unknown>>): void {
  let last: Promise<void> = Promise.resolve();
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { command, argument } = JSON.parse(line) as { command: string; argument: never };
    last = last.then(async () => {
      let answer: { result: unknown } | { error: string };
      try {
        answer = { result: (await commands[command]!(argument)) ?? null };
      } catch (error) {
        answer = { error: (error as Error).stack ?? String(error) };
      }
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    });
  });
  lines.on('close', () => process.exit(0));
}
