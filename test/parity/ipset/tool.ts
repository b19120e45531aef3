import type { ParityCase, ParityTool } from '../tool.ts';
import { differenceShown, differingLines } from './differences.ts';
import { generatedRounds } from './generated.ts';
import { hash } from './parts.ts';
import { casesOf, type Round, seedSteps, step } from './rounds.ts';
import { writtenRounds } from './written.ts';

const reading = /^-?-?(?:li?s?t?|L|save|S|test|T|help|version)$/;

export const ipsetTool: ParityTool = {
  name: 'ipset',
  seed: seedSteps(''),
  state: [{ args: ['save'] }],
  mayChange: ({ args }) => !args.some((word) => reading.test(word)),
  normalise,
  cases: () => rounds().flatMap(casesOf).map(withDifference),
};

function rounds(): Round[] {
  const seed = `create s hash:ip counters skbinfo ${hash}\n`;
  const shown = differingLines().map((line): Round => ({ seed, steps: [step(line)] }));
  return [...writtenRounds(), ...shown, ...generatedRounds()];
}

function withDifference(each: ParityCase): ParityCase {
  const differs = each.differs ?? differenceShown(each.args);
  return differs === undefined ? each : { ...each, differs };
}

/** Numbers that the kernel draws and the order that follows from them, and time that has passed. */
function normalise(text: string): string {
  const normal = text
    .replace(/initval(>| )0x(?!12345678)[0-9a-f]{8}/g, 'initval$1RANDOM')
    .replace(
      /timeout(>| )(\d{3,})/g,
      (_, mark, seconds) => `timeout${mark}${Math.ceil(Number(seconds) / 50)}`,
    )
    .replace(/(memsize>|Size in memory: )\d+/g, '$1N');
  return normal.includes('RANDOM') ? normal.split('\n').sort().join('\n') : normal;
}
