import { duration } from '../../daemon/config/durations.ts';
import { Refusal } from '../../daemon/config/refusal.ts';
import { usageError } from '../errors.ts';

/** An element that comes into a set. */
export interface Fill {
  readonly set: string;
  /** As ipset writes it. */
  readonly element: string;
  /** Milliseconds since the capture's start. */
  readonly at: number;
}

/** An interface that goes offline or comes back. */
export interface Turn {
  readonly name: string;
  readonly online: boolean;
  readonly at: number;
}

const time = duration('0ms', '99999h');

/** @throws CliError where the text is not SET=ELEMENT@TIME */
export function readFill(text: string): Fill {
  const [, set, element, at] = /^([^=]+)=(.+)@([^@]+)$/.exec(text) ?? [];
  if (!set || !element || !at)
    throw usageError(
      'simulate: --fill',
      `'${text}' is not SET=ELEMENT@TIME`,
      'such as app_1=203.0.113.10@30s',
    );
  return { set, element, at: readTime('--fill', at) };
}

/** @throws CliError where the text is not NAME=offline@TIME or NAME=online@TIME */
export function readTurn(text: string): Turn {
  const [, name, state, at] = /^([^=]+)=(online|offline)@([^@]+)$/.exec(text) ?? [];
  if (!name || !at)
    throw usageError(
      'simulate: --interface',
      `'${text}' is not NAME=offline@TIME`,
      'such as wanb=offline@2m',
    );
  return { name, online: state === 'online', at: readTime('--interface', at) };
}

function readTime(option: string, text: string): number {
  try {
    return time(text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw usageError(`simulate: ${option}`, `'${text}' ${error.message}`);
  }
}
