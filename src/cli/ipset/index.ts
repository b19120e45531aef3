import { explainError } from '../errors.ts';
import type { StandIn } from '../multicall.ts';
import type { AddCommand } from '../run.ts';
import { Program } from './program.ts';

/** `resteer ipset`: ipset(8), whose own syntax, messages and exit codes it keeps. */
export const ipset: StandIn = async (args, io) => {
  try {
    return await new Program(io).run(args);
  } catch (error) {
    const { text, exitCode } = explainError(error);
    io.stderr.write(`${text}\n`);
    return exitCode;
  }
};

/** The line about `resteer ipset` in the program's help. */
export const addIpset: AddCommand = (program) => {
  program
    .command('ipset')
    .summary('ipset(8): sets of addresses, networks and ports')
    .usage('[options] COMMAND');
};
