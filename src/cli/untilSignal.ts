/**
 * Resolves at the first of the signals; a second one ends the process, as if nobody listened.
 * @param more signals beside those of Ctrl-C and of service managers
 */
export function untilSignal(...more: readonly NodeJS.Signals[]): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', ...more] as const;
  return new Promise((resolve) => {
    const end = () => {
      for (const signal of signals) process.off(signal, end);
      resolve();
    };
    for (const signal of signals) process.on(signal, end);
  });
}
