/** Lets the event loop turn until the condition holds; throws with the name of it after the limit. */
export async function until(what: string, holds: () => boolean, milliseconds = 30_000): Promise<void> {
  const limit = Date.now() + milliseconds;
  while (!holds()) {
    if (Date.now() > limit) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Lets the event loop turn so many times, polling each time. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Keeps JavaScript busy. */
export function block(milliseconds: number): void {
  const end = Date.now() + milliseconds;
  while (Date.now() < end);
}
