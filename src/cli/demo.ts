import {
  buildLab,
  isInUserNamespace,
  type Lab,
  labRequirements,
  missingText,
  runInUserNamespace,
} from '../lab/index.ts';
import { RouterDaemon } from './demo/routerDaemon.ts';
import { checkBystanders, demoConfig, moves, type Narrate, showMove, startBystanders } from './demo/story.ts';
import { CliError } from './errors.ts';
import { EXIT, type Io } from './io.ts';
import type { AddCommand } from './run.ts';

const examples = `
Needs root, or a machine that allows user namespaces; and the commands ip, ipset, iptables and sysctl. Nothing
outside of its own namespaces is touched.

Examples:
  resteer demo
  npm start      in the repository: builds the executable first`;

/** `resteer demo`: misplaced flows move, in a laboratory on this machine's kernel. */
export const addDemo: AddCommand = (program, io, exit) => {
  program
    .command('demo')
    .summary('a laboratory of network namespaces in which misplaced flows are moved')
    .description(
      'Builds a router with two uplinks in network namespaces, runs the daemon in it, and shows flows that are ' +
        'recognised late being moved. Exit code 0 if all that was to be shown has happened.',
    )
    .addHelpText('after', examples)
    .action(async () => exit(await demo(io)));
};

async function demo(io: Io): Promise<number> {
  const { how, missing } = labRequirements();
  if (missing.length > 0) {
    io.stderr.write(`${missing.map(missingText).join('\n')}\n`);
    return missing.some(({ what }) => what === 'privileges') ? EXIT.NOT_PERMITTED : EXIT.FAILED;
  }
  if (how === 'user-namespace' && !isInUserNamespace()) return runInUserNamespace();
  const start = performance.now();
  const narrate: Narrate = (who, what) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(3);
    io.stdout.write(`${seconds.padStart(7)} s  ${who.padEnd(8)} ${what}\n`);
  };
  await tell(narrate);
  return EXIT.DONE;
}

async function tell(narrate: Narrate): Promise<void> {
  const lab = await buildLab();
  try {
    narrate('lab', 'built: client1 and client2 - router - isp1 (wan) or isp2 (wanb) - server');
    await show(lab, narrate);
  } finally {
    await lab.close();
  }
  narrate('lab', 'removed');
}

async function show(lab: Lab, narrate: Narrate): Promise<void> {
  const daemon = new RouterDaemon(lab, { config: demoConfig });
  try {
    const { ms } = await daemon.event('ready');
    narrate('resteer', `runs on the router; its first sweep took ${ms} ms`);
    const bystanders = await startBystanders(lab, narrate);
    for (const move of moves) await showMove(lab, daemon, move, narrate);
    await checkBystanders(bystanders, daemon, narrate);
    const exitCode = await daemon.stop();
    const totals = daemon.events.find((event) => event.event === 'stopped');
    if (exitCode !== 0 || !totals) throw new Error(`the daemon ended with ${exitCode} when told to stop`);
    narrate('resteer', `stopped: ${summaryOf(totals)}`);
  } catch (error) {
    throw new CliError('demo', (error as Error).message, lastWords(daemon));
  }
}

function summaryOf(totals: Readonly<Record<string, unknown>>): string {
  const { events, resets, moved, returned } = totals as {
    events: number;
    resets: { deleted: number };
    moved: number;
    returned: number;
  };
  return `${events} new flows seen, ${resets.deleted} reset, ${moved} moved, ${returned} returned`;
}

function lastWords({ events, errors }: RouterDaemon): string {
  const said = events.slice(-5).map((event) => `\n  ${JSON.stringify(event)}`);
  return `the daemon's last words:${said.join('')}${errors && `\n${errors.trimEnd()}`}`;
}
