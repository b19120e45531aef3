import { eventText } from './eventText.ts';
import type { DaemonEvent, Tell } from './tell.ts';

export type LogFormat = 'text' | 'json';
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where finished lines go: standard output. */
export interface LineSink {
  /** False where there is no room for the line: it is lost. */
  write(line: string): boolean;
}

/**
 * The daemon's log: one line an event, for people or as JSON for machines
 * (`{"time": ISO 8601, "level", "event", ...}`). Lines that the sink refuses are counted, and told of as soon as it
 * takes one again. Written by hand: a logger's library takes longer to load, and more memory, than all else that
 * the daemon starts with.
 * @param wallNow milliseconds since 1970
 */
export function openLog(
  format: LogFormat,
  level: LogLevel,
  sink: LineSink,
  wallNow: () => number = Date.now,
): Tell {
  const least = LOG_LEVELS.indexOf(level);
  let lost = 0;
  const say = (event: DaemonEvent): boolean => {
    const level = levelOf(event);
    const time = new Date(wallNow()).toISOString();
    return sink.write(
      format === 'json'
        ? `${JSON.stringify({ time, level, ...event })}\n`
        : `${time} ${level.padEnd(5)} ${eventText(event)}\n`,
    );
  };
  return (event) => {
    if (LOG_LEVELS.indexOf(levelOf(event)) < least) return;
    if (lost > 0 && say(lossOf(lost))) lost = 0;
    if (lost > 0 || !say(event)) lost++;
  };
}

function lossOf(lines: number): DaemonEvent {
  return {
    event: 'warning',
    what: 'log',
    why: `standard output is read too slowly, and lines are lost: ${lines}`,
    todo: 'read it faster, or say less with --log-level',
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
