import * as v from 'valibot';
import { duration } from './durations.ts';
import { decodeMark } from './marks.ts';
import { decodeName, decodePath, decodeSetName } from './names.ts';
import { decodeNetwork } from './networks.ts';
import { decodePortExemption, decodePorts } from './ports.ts';
import { decodeProtocol } from './protocols.ts';
import { Refusal } from './refusal.ts';
import { decodeBoolean, isObject, list, named, object, oneOf, value, wholeNumber } from './shape.ts';

const family = value(oneOf('ipv4', 'ipv6'));
const perSecond = value((input) => (input === 'unlimited' ? Number.POSITIVE_INFINITY : resets(input)));
const networks = v.optional(list(value(decodeNetwork)), []);
const ports = v.optional(list(value(decodePorts)), []);

/** Twice the default table of the largest routers: more pending flows are a wrong number. */
const MOST_PENDING = 16_777_216;
const MOST_PER_SECOND = 1_000_000;

function resets(input: unknown): number {
  try {
    return wholeNumber(1, MOST_PER_SECOND)(input);
  } catch {
    throw new Refusal(`is not allowed: a whole number from 1 to ${MOST_PER_SECOND}, or "unlimited"`);
  }
}

const planInterface = object({
  mark: value(decodeMark),
  family: v.optional(family),
  stateFile: v.optional(value(decodePath)),
});

/** Members without a metric are equals, and come before those with a worse one. */
const DEFAULT_METRIC = 1;

const memberObject = object({
  name: value(decodeName),
  metric: v.optional(value(wholeNumber(0, 65535)), DEFAULT_METRIC),
});
const memberName = v.pipe(
  value(decodeName),
  v.transform((name) => ({ name, metric: DEFAULT_METRIC })),
);
const member = v.lazy((input) =>
  isObject(input) ? memberObject : (memberName as unknown as typeof memberObject),
);

const rule = object({
  name: v.optional(value(decodeName)),
  set: value(decodeSetName),
  match: v.optional(list(value(oneOf('dst', 'dport', 'src', 'sport'))), ['dst']),
  family: v.optional(family),
  protocol: v.optional(value(decodeProtocol), 'all'),
  sources: networks,
  sourcePorts: ports,
  destinationPorts: ports,
  interfaces: list(member),
  watch: v.optional(value(decodeBoolean)),
});

const exempt = object({
  destinations: networks,
  sources: networks,
  ports: v.optional(list(value(decodePortExemption)), []),
});

const limits = object({
  resetsPerSecond: v.optional(perSecond, 200),
  resetsPerClientPerSecond: v.optional(perSecond, 20),
  pendingFlows: v.optional(value(wholeNumber(1, MOST_PENDING)), 262_144),
  cooldown: v.optional(value(duration('1s', '1h')), '60s'),
});

/** The file, value by value; how the values fit each other is looked at afterwards (compile). */
export const schema = object({
  markMask: value(decodeMark),
  interfaces: named(decodeName, planInterface),
  rules: list(rule),
  exempt: v.optional(exempt, {}),
  recheck: v.optional(list(value(duration('1ms', '1h'))), ['500ms', '1s', '2s', '5s', '10s', '30s']),
  sweep: v.optional(value(duration('1s', '24h')), '5m'),
  limits: v.optional(limits, {}),
  dryRun: v.optional(value(decodeBoolean), false),
});

export type Config = v.InferOutput<typeof schema>;
