import { IPSET_CMD } from '../../ipset/constants.ts';

/** Commands that ask the kernel nothing have numbers above its own. */
export const COMMAND = { ...IPSET_CMD, RESTORE: 256, HELP: 257, VERSION: 258, QUIT: 259 } as const;

export interface CommandSpec {
  readonly command: number;
  /** The name first; any beginning of a name will do. */
  readonly names: readonly string[];
  readonly arguments: 'none' | 'optional' | 'two';
  readonly help: string;
}

/** The commands in the order in which an abbreviation is looked up: `s` is save, `sw` is swap. */
export const commands: readonly CommandSpec[] = [
  {
    command: COMMAND.CREATE,
    names: ['create', 'new', '-N'],
    arguments: 'two',
    help: 'SETNAME TYPENAME [type-specific-options]\n        Create a new set',
  },
  {
    command: COMMAND.ADD,
    names: ['add', '-A'],
    arguments: 'two',
    help: 'SETNAME ENTRY\n        Add entry to the named set',
  },
  {
    command: COMMAND.DEL,
    names: ['del', '-D'],
    arguments: 'two',
    help: 'SETNAME ENTRY\n        Delete entry from the named set',
  },
  {
    command: COMMAND.TEST,
    names: ['test', '-T'],
    arguments: 'two',
    help: 'SETNAME ENTRY\n        Test entry in the named set',
  },
  {
    command: COMMAND.DESTROY,
    names: ['destroy', 'x', '-X'],
    arguments: 'optional',
    help: '[SETNAME]\n        Destroy a named set or all sets',
  },
  {
    command: COMMAND.LIST,
    names: ['list', '-L'],
    arguments: 'optional',
    help: '[SETNAME]\n        List the entries of a named set or all sets',
  },
  {
    command: COMMAND.SAVE,
    names: ['save', '-S'],
    arguments: 'optional',
    help: '[SETNAME]\n        Save the named set or all sets to stdout',
  },
  {
    command: COMMAND.RESTORE,
    names: ['restore', '-R'],
    arguments: 'none',
    help: '\n        Restore a saved state',
  },
  {
    command: COMMAND.FLUSH,
    names: ['flush', '-F'],
    arguments: 'optional',
    help: '[SETNAME]\n        Flush a named set or all sets',
  },
  {
    command: COMMAND.RENAME,
    names: ['rename', 'e', '-E'],
    arguments: 'two',
    help: 'FROM-SETNAME TO-SETNAME\n        Rename two sets',
  },
  {
    command: COMMAND.SWAP,
    names: ['swap', 'w', '-W'],
    arguments: 'two',
    help: 'FROM-SETNAME TO-SETNAME\n        Swap the contect of two existing sets',
  },
  {
    command: COMMAND.HELP,
    names: ['help', '-h', '-H'],
    arguments: 'optional',
    help: '[TYPENAME]\n        Print help, and settype specific help',
  },
  {
    command: COMMAND.VERSION,
    names: ['version', '-v', '-V'],
    arguments: 'none',
    help: '\n        Print version information',
  },
  {
    command: COMMAND.QUIT,
    names: ['quit'],
    arguments: 'none',
    help: '\n        Quit interactive mode',
  },
];

/** The command that a word names, in full, shortened, or with two dashes before it. */
export function findCommand(word: string): CommandSpec | undefined {
  const rest = word.startsWith('--') ? word.slice(2) : word;
  if (rest === '' || word === '-') return undefined;
  return commands.find(({ names }) => names.some((name) => name.startsWith(rest)));
}

/** The name of a command, for messages. */
export function commandName(command: number): string {
  return commands.find((each) => each.command === command)?.names[0] ?? 'unknown command';
}

export type OptionName = 'output' | 'sorted' | 'quiet' | 'resolve' | 'exist' | 'name' | 'terse' | 'file';

export interface OptionSpec {
  readonly option: OptionName;
  readonly names: readonly [string, string];
  readonly takesValue: boolean;
  readonly help: string;
}

/** The options that may stand anywhere, in the order in which they are taken off the line. */
export const options: readonly OptionSpec[] = [
  {
    option: 'output',
    names: ['-o', '-output'],
    takesValue: true,
    help:
      'plain|save|xml\n       Specify output mode for listing sets.\n' +
      '       Default value for "list" command is mode "plain"\n' +
      '       and for "save" command is mode "save".',
  },
  {
    option: 'sorted',
    names: ['-s', '-sorted'],
    takesValue: false,
    help: '\n        Print elements sorted (if supported by the set type).',
  },
  {
    option: 'quiet',
    names: ['-q', '-quiet'],
    takesValue: false,
    help: '\n        Suppress any notice or warning message.',
  },
  {
    option: 'resolve',
    names: ['-r', '-resolve'],
    takesValue: false,
    help: '\n        Try to resolve IP addresses in the output (slow!)',
  },
  {
    option: 'exist',
    names: ['-!', '-exist'],
    takesValue: false,
    help:
      '\n        Ignore errors when creating or adding sets or\n' +
      "        elements that do exist or when deleting elements\n        that don't exist.",
  },
  {
    option: 'name',
    names: ['-n', '-name'],
    takesValue: false,
    help: '\n        When listing, just list setnames from the kernel.\n',
  },
  {
    option: 'terse',
    names: ['-t', '-terse'],
    takesValue: false,
    help: '\n        When listing, list setnames and set headers\n        from kernel only.',
  },
  {
    option: 'file',
    names: ['-f', '-file'],
    takesValue: true,
    help:
      '\n        Read from the given file instead of standard\n' +
      '        input (restore) or write to given file instead\n        of standard output (list/save).',
  },
];

/** Whether a word is this option; one dash more may stand before it. */
export function isOption(word: string, { names }: OptionSpec): boolean {
  const rest = word.startsWith('--') ? word.slice(1) : word;
  return rest === names[0] || rest === names[1];
}
