import type { AddCommand } from '../run.ts';

/** The line about `resteer conntrack` in the program's help; its command line is read by itself. */
export const addConntrack: AddCommand = (program) => {
  program
    .command('conntrack')
    .summary('conntrack(8): list, watch, change and delete flows')
    .usage('[commands] [options]');
};
