import { pino } from 'pino';
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
 * (`{"level", "time": ISO 8601, "event", ...}`).
 */
export function openLog(format: LogFormat, level: LogLevel, sink: LineSink): Tell {
  const isoTime = () => `,"time":"${new Date().toISOString()}"`;
  const logger = pino(
    { base: null, level, timestamp: isoTime, formatters: { level: (label) => ({ level: label }) } },
    format === 'json' ? sink : { write: (line: string) => sink.write(textOf(line)) },
  );
  return (event) => logger[levelOf(event)](event);
}

/** pino's line for people: the day is in the system log already, the time is not precise enough there. */
function textOf(line: string): string {
  const { time, level, ...event } = JSON.parse(line) as { time: string; level: string } & DaemonEvent;
  return `${time} ${level.padEnd(5)} ${eventText(event as DaemonEvent)}\n`;
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
