import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { FlowTable } from '../report/flowTable.ts';
import { explainError } from './errors.ts';
import type { Io } from './io.ts';
import { followKernel } from './report/follow.ts';
import { publish } from './report/publish.ts';
import { readReport } from './report/readFile.ts';
import { checkReplaceable } from './report/replaceFile.ts';
import { Requests } from './report/requests.ts';
import {
  FORMATS,
  type ReportOptions,
  type ReportSettings,
  readSettings,
  USUAL_IDLE,
  USUAL_MAX_FLOWS,
} from './report/settings.ts';
import type { AddCommand } from './run.ts';
import { untilSignal } from './untilSignal.ts';

const examples = `
Starts from the table as it is and follows it. Prints each distinct flow once, a source port from 1024 on as 1024:
when the time is over, when nothing new comes any more, at Ctrl-C or SIGTERM, and, going on, at SIGUSR1.

The formats nft, iptables and ipset draft rules that accept what was seen, by protocol and destination port, with
addresses folded into the fewest networks. Loading a draft changes nothing until a chain jumps to it.

Examples:
  resteer report --duration 0s
  resteer report --until-idle 1m --confirmed
  resteer report --duration 24h --format json --output seen.json
  resteer report --from seen.json --format nft --slack 8 --output seen.nft && nft -c -f seen.nft
  resteer report --from seen.json --format ipset --output seen.ipset
  resteer report --from seen.json --format iptables --output seen.rules
  resteer report --mark 0x100/0x3f00 --protocol tcp --source 192.168.1.0/24 --summary`;

/** `resteer report`: which flows a firewall would have to allow. */
export const addReport: AddCommand = (program, io) => {
  program
    .command('report')
    .summary('which flows a firewall would have to allow')
    .description(
      'Follows connection tracking and prints every distinct flow, or drafts the rules that accept them.',
    )
    .option('-d, --duration <time>', 'end after so long, such as 30s; 0s: only the table as it is')
    .option('-i, --until-idle [time]', `end when nothing new came for so long (default: "${USUAL_IDLE}")`)
    .option('-o, --output <file>', 'write a file, whole or not at all')
    .option('--resume', 'go on from what the file of --output has, in the format json')
    .addOption(new Option('-f, --format <format>', 'what to write').choices([...FORMATS]).default('text'))
    .option('-S, --summary', 'counts by destination port and by network instead of the flows')
    .option('--slack <hosts>', 'how many unseen addresses a rule may accept to be shorter (default: 0)')
    .option('--from <file>', 'a report in JSON instead of the kernel; - for standard input')
    .option('-m, --mark <mark/mask>', 'flows with this conntrack mark')
    .addOption(new Option('--family <family>', 'flows of this family').choices(['ipv4', 'ipv6']))
    .option('-p, --protocol <protocol>', 'flows of this protocol, by name or number')
    .option('-s, --source <network>', 'flows from this address or network')
    .option('-t, --destination <network>', 'flows to this address or network')
    .option('-z, --zone <zone>', 'flows of this zone')
    .option('-c, --confirmed', 'flows in which both sides spoke')
    .option('--max-flows <count>', 'how many distinct flows are kept', String(USUAL_MAX_FLOWS))
    .addHelpText('after', examples)
    .action((options: ReportOptions) => report(options, io));
};

async function report(options: ReportOptions, io: Io): Promise<void> {
  const requests = new Requests();
  try {
    await reportTo(io, readSettings(options), requests);
  } finally {
    requests.close();
  }
}

async function reportTo(io: Io, settings: ReportSettings, requests: Requests): Promise<void> {
  const { output, from, maxFlows } = settings;
  if (output !== undefined) checkReplaceable(output);
  let isSaid = false;
  const say = (text: string) => {
    isSaid = true;
    io.stderr.write(`resteer: report: ${text}\n`);
  };
  const table = new FlowTable({ limit: maxFlows, seed: randomInt(2 ** 32) });
  if (from !== undefined) {
    await readReport(from, table, io, settings.checkedFilter);
  } else {
    // what does not fit stays in the file
    if (settings.isResumed && existsSync(output!)) await readReport(output!, table, io);
    requests.answerBy(() =>
      publish(table, settings, io).catch((error) => void io.stderr.write(`${explainError(error).text}\n`)),
    );
    await followKernel(table, settings, untilSignal({ more: ['SIGHUP'] }), say);
    await requests.settle();
  }
  if (table.refused > 0) say(limitText(table));
  if (table.size === 0 && !isSaid) say(NOTHING);
  await publish(table, settings, io);
}

const NOTHING =
  'no flow was seen that fits: if there is traffic, look whether a rule has the kernel track it: resteer doctor';

function limitText({ limit, refused }: FlowTable): string {
  return (
    `${refused} flows are left out, since there are more than ${limit} distinct ones: raise --max-flows, or ` +
    'filter: see resteer report --help'
  );
}
