import { durationText, listText, padded } from './plainText.ts';
import type { DaemonStatus } from './status.ts';

type Row = readonly [label: string, value: string];

const stateTexts = {
  running: 'running',
  paused: 'paused: it judges and watches, and resets nothing until resteer control resume',
  'breaker-open': 'its circuit breaker is open: resets came back, none is made until resteer control resume',
} as const;

/** The status in words, in groups of aligned rows. */
export function statusText(status: DaemonStatus): string {
  const groups: readonly (readonly [title: string, rows: readonly Row[]])[] = [
    ['', daemonRows(status)],
    ['Flows', flowRows(status)],
    ['Resets', resetRows(status)],
    ['Work', workRows(status)],
    ['Interfaces', interfaceRows(status)],
    ['Rules', ruleRows(status)],
  ];
  return `${groups.map(([title, rows]) => group(title, rows)).join('\n\n')}\n`;
}

function group(title: string, rows: readonly Row[]): string {
  const indent = title === '' ? '' : '  ';
  const lines = padded(rows).map((line) => indent + line);
  return (title === '' ? lines : [title, ...lines]).join('\n');
}

function daemonRows({ state, uptimeMs, dryRun, transport, memory, connectedNetworks }: DaemonStatus): Row[] {
  return [
    ['state', `${stateTexts[state]}${dryRun ? ' (dry run: it resets nothing)' : ''}`],
    ['uptime', durationText(uptimeMs)],
    ['transport', transport ?? 'none'],
    ['memory', `${megabytes(memory.rss)} in all, ${megabytes(memory.flowStore)} for flows`],
    ['connected networks', String(connectedNetworks)],
  ];
}

function flowRows({ events, malformed, judged, tested, questions, verdicts, ignored }: DaemonStatus): Row[] {
  return [
    ['new flows heard of', `${events}${malformed > 0 ? `, ${malformed} malformed messages` : ''}`],
    ['judged', `${judged}, of which ${tested} by asking sets (${questions} questions)`],
    ['verdicts', countsText(verdicts)],
    ['ignored as', countsText(ignored)],
  ];
}

function resetRows({ resets, suppressed, moved, returned, latencyMs }: DaemonStatus): Row[] {
  return [
    ['by outcome', countsText(resets)],
    ['came back', `${moved} on the right interface, ${returned} on a wrong one`],
    ['left alone for', countsText(suppressed)],
    [
      'from NEW to DELETE',
      latencyMs === null
        ? 'none yet'
        : `half within ${ms(latencyMs.p50)}, 90% ${ms(latencyMs.p90)}, 99% ${ms(latencyMs.p99)}, all ${ms(latencyMs.max)}`,
    ],
  ];
}

function workRows({ overruns, receiveBuffer, shed, evicted, sweeps, queues }: DaemonStatus): Row[] {
  return [
    ['overruns', `${overruns}, receive buffer ${megabytes(receiveBuffer)}`],
    ['left out when full', `${shed} to the next sweep, ${evicted} forgotten before their last recheck`],
    ['sweeps', `${sweeps.done}, ${sweeps.flows} flows read${sweeps.running ? '; one is running' : ''}`],
    [
      'flows under way',
      `${queues.pending} wait for a recheck, ${queues.judging} for a verdict, ${queues.deferred} for the budget, ` +
        `${queues.resetting} for their reset`,
    ],
    ['after resets', `${queues.watched} successors awaited, ${queues.resting} flows rest`],
  ];
}

function interfaceRows({ interfaces }: DaemonStatus): Row[] {
  return interfaces.map(({ name, mark, online }) => [
    name,
    `mark 0x${mark.toString(16)}, ${online ? 'online' : 'offline'}`,
  ]);
}

const setTexts = {
  usable: '',
  unknown: ' (not asked for yet)',
  missing: ' (there is no such set)',
  unfit: ' (it can hold no flow of the rule: see resteer explain)',
} as const;

function ruleRows({ rules }: DaemonStatus): Row[] {
  if (rules.length === 0) return [['none', '']];
  return rules.map(({ name, set, setState, expected }) => {
    const wanted = Object.entries(expected).map(
      ([family, names]) => `${family} on ${listText(names, 'or') || 'none that is online'}`,
    );
    const flows = set === null ? 'every flow that it fits' : `set ${set}${setTexts[setState]}`;
    return [name, `${flows}: ${wanted.join(', ')}`];
  });
}

/** Those that are not zero, the largest first. */
function countsText(counts: Readonly<Record<string, number>>): string {
  const said = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
  return said.length === 0 ? 'none' : said.map(([name, count]) => `${count} ${name}`).join(', ');
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const ms = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
