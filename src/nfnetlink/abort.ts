/**
 * One listener a signal, however many requests it is for: Node warns of a leak at the eleventh listener,
 * and a signal that means "shut down" is given to every request.
 */
const watched = new Map<
  AbortSignal,
  { readonly callbacks: Set<() => void>; readonly listener: () => void }
>();

/** Calls back when the signal aborts, until `offAbort`. */
export function onAbort(signal: AbortSignal, callback: () => void): void {
  const known = watched.get(signal);
  if (known) {
    known.callbacks.add(callback);
    return;
  }
  const callbacks = new Set([callback]);
  const listener = () => {
    for (const each of [...callbacks]) each();
  };
  watched.set(signal, { callbacks, listener });
  signal.addEventListener('abort', listener);
}

/** Takes the callback back; the last one takes the listener with it. */
export function offAbort(signal: AbortSignal, callback: () => void): void {
  const known = watched.get(signal);
  if (!known?.callbacks.delete(callback) || known.callbacks.size > 0) return;
  watched.delete(signal);
  signal.removeEventListener('abort', known.listener);
}
