import { flowText } from './flowDescription.ts';
import type { DaemonEvent, Why } from './tell.ts';

/** An event as one line for people, without time and level. */
export function eventText(event: DaemonEvent): string {
  switch (event.event) {
    case 'ready':
      return `ready: ${event.flows} flows seen, ${event.misplaced} misplaced, in ${event.ms} ms`;
    case 'reset': {
      const since = event.sinceNewMs === null ? '' : `, ${event.sinceNewMs} ms after it began`;
      const detail = event.detail === undefined ? '' : ` (${event.detail})`;
      return `reset ${whyText(event)}: ${event.outcome}${detail}${since}`;
    }
    case 'moved':
      return `moved ${flowText(event.flow)} from ${event.from} to ${event.to} after ${event.afterMs} ms`;
    case 'returned':
      return `returned ${flowText(event.flow)} to ${event.to}, expected on ${event.expected.join(' or ')}`;
    case 'suppressed': {
      const length = event.forMs === undefined ? '' : ` for ${Math.ceil(event.forMs / 1000)} s`;
      return `left alone ${whyText(event)}: ${suppressTexts[event.reason]}${length}`;
    }
    case 'overrun':
      return `overrun ${event.count}: the kernel dropped events, the receive buffer is now ${event.receiveBuffer} bytes, the table is read again`;
    case 'sweep':
      return `sweep (${event.cause}): ${event.flows} flows, ${event.misplaced} misplaced, in ${event.ms} ms`;
    case 'reload':
      return event.ok
        ? 'reload: the new configuration is in force'
        : `reload: the old configuration stays in force:\n  ${(event.problems ?? []).join('\n  ')}`;
    case 'mwan3':
      return event.running ? 'mwan3 runs again' : 'mwan3 is stopped: nothing is reset until it runs again';
    case 'interface':
      return `interface ${event.name} is ${event.online ? 'online' : 'offline'}`;
    case 'warning': {
      const times = event.times === undefined ? '' : ` (${event.times} times)`;
      return `${event.what}: ${event.why}: ${event.todo}${times}`;
    }
    case 'stopped':
      return 'stopped';
  }
}

function whyText(why: Why): string {
  return `${flowText(why.flow)} (rule ${why.rule}, ${why.set === null ? 'which needs no set' : `set ${why.set}`}: on ${why.from}, expected ${why.expected.join(' or ')})`;
}

const suppressTexts = {
  budget: 'the reset budget is used up',
  'client-budget': "this client's reset budget is used up",
  cooldown: 'it came back after its last reset and rests',
  breaker: 'the circuit breaker is open',
  paused: 'resets are paused',
} as const;
