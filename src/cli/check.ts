import { readInterfaceStates } from '../daemon/interfaceState.ts';
import { planJson } from '../daemon/planJson.ts';
import { planText } from '../daemon/planText.ts';
import { planWarnings } from '../daemon/planWarnings.ts';
import { systemStateFiles } from '../daemon/stateFiles.ts';
import { addSourceOptions, loadSource, type PlanSource } from './configuration.ts';
import { type Io, write } from './io.ts';
import type { AddCommand } from './run.ts';

interface CheckOptions extends PlanSource {
  readonly json?: true;
}

const examples = `
Examples:
  resteer check
  resteer check --config ./resteer.json && echo good
  resteer check --json | jq '.rules[] | {name, expected}'
  resteer check --mwan3

Needs no privileges; the kernel is not asked. Exit code 2 if the configuration has errors.`;

/** `resteer check`: validates the configuration and prints what it means now. */
export const addCheck: AddCommand = (program, io) => {
  const command = program
    .command('check')
    .summary('validate the configuration and print the plan')
    .description('Validates the configuration, and prints what it makes the daemon do at this moment.');
  addSourceOptions(command)
    .option('-j, --json', 'one JSON object')
    .addHelpText('after', examples)
    .action((options: CheckOptions) => check(options, io));
};

async function check({ json, ...source }: CheckOptions, io: Io): Promise<void> {
  const { plan, warnings: fileWarnings } = await loadSource(source);
  const { online, warnings: stateWarnings } = readInterfaceStates(plan.interfaces, systemStateFiles);
  const warnings = [...fileWarnings, ...planWarnings(plan), ...stateWarnings];
  const text = json
    ? `${JSON.stringify(planJson(plan, online, warnings))}\n`
    : planText(plan, online, warnings);
  await write(io.stdout, text);
}
