import { eventText } from './eventText.ts';
import type { DaemonEvent, Tell } from './tell.ts';

export type LogFormat = 'text' | 'json';
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where finished lines go: standard output. */
export interface LineSink {
  write(line: string): void;
}

/**
 * The daemon's log: one line an event, for people or as JSON for machines
 * (`{"time": ISO 8601, "level", "event", ...}`). Written by hand: a logger's library takes longer to load, and
 * more memory, than all else that the daemon starts with.
 */
export function openLog(format: LogFormat, level: LogLevel, sink: LineSink): Tell {
  const least = LOG_LEVELS.indexOf(level);
  return (event) => {
    const own = levelOf(event);
    if (LOG_LEVELS.indexOf(own) < least) return;
    const time = new Date().toISOString();
    sink.write(
      format === 'json'
        ? `${JSON.stringify({ time, level: own, ...event })}\n`
        : `${time} ${own.padEnd(5)} ${eventText(event)}\n`,
    );
  };
}

function levelOf(event: DaemonEvent): LogLevel {
  switch (event.event) {
    case 'warning':
    case 'overrun':
    case 'returned':
      return 'warn';
    case 'reload':
      return event.ok ? 'info' : 'error';
    case 'sweep':
      return event.misplaced > 0 || event.cause !== 'periodic' ? 'info' : 'debug';
    case 'reset':
      return event.outcome === 'refused' || event.outcome === 'offloaded' ? 'warn' : 'info';
    default:
      return 'info';
  }
}
