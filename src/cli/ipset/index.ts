import type { AddCommand, RunTool } from '../run.ts';
import { Program } from './program.ts';

/** `resteer ipset`: ipset(8), whose own syntax, messages and exit codes it keeps. */
export const runIpset: RunTool = (args, io) => new Program(io).run(args);

/** Its place in the list of commands. */
export const addIpset: AddCommand = (program) => {
  program
    .command('ipset')
    .summary('ipset(8): sets of addresses, networks and ports')
    .argument('[arguments...]');
};
