import { AF } from '../../nfnetlink/constants.ts';
import { Getopt, MISSING_ARGUMENT, UNKNOWN_OPTION } from '../getopt.ts';
import type { CommandLine, OwnOptions } from './commandLine.ts';
import { wrongParameter } from './exit.ts';
import {
  COMMANDS,
  type CommandName,
  checkLegal,
  checkOptions,
  LONG_OPTIONS,
  longNameOf,
  SHORT_OPTIONS,
  type TableName,
} from './optionTable.ts';
import { OptionValues, type ParseContext } from './optionValues.ts';
import { checkOwnOptions, takeOwnOptions } from './ownOptions.ts';
import { type ProtocolField, protocolLongOptions, protocolOptionNames } from './protocols.ts';

/** Reads one command line, without the program's name. @throws ConntrackExit */
export function parseCommandLine(args: readonly string[], context: ParseContext): CommandLine {
  return new Parser(args, context).parse();
}

const PROTOCOL_FIELD = /^[a-z]/i;

/** Commands that take flows of any family where none is named; the others then mean IPv4. */
const anyFamily: readonly (CommandName | undefined)[] = ['list', 'update', 'delete', 'get', 'flush', 'event'];

class Parser {
  private readonly getopt: Getopt;
  private readonly own: OwnOptions;
  private readonly values: OptionValues;
  private command: CommandName | undefined;
  private table: TableName = 'conntrack';

  constructor(args: readonly string[], context: ParseContext) {
    const { rest, own } = takeOwnOptions(args);
    this.own = own;
    this.values = new OptionValues(context);
    this.getopt = new Getopt(['conntrack', ...rest], SHORT_OPTIONS, LONG_OPTIONS);
  }

  parse(): CommandLine {
    for (let option = this.getopt.next(); option !== undefined; option = this.getopt.next()) {
      this.take(option);
    }
    const { values, command, table, own } = this;
    if (values.family === AF.UNSPEC && !anyFamily.includes(command)) values.family = AF.INET;
    this.check();
    const { options, family, protocol, draft, expected, mask, mark, status, anyNat } = values;
    const { labels, labelChange, labelMap, output, bufferSize } = values;
    return {
      ...{ command, table, options, family, protocol, draft, expected, mask, mark, status, anyNat },
      ...{ labels, labelChange, labelMap, eventKinds: [...values.eventKinds], output, bufferSize, own },
    };
  }

  private check(): void {
    const { command } = this;
    const { options, protocolOptions, output, protocol, draft } = this.values;
    if (options.has('j') && (options.has('n') || options.has('g'))) {
      throw wrongParameter("cannot specify `--src-nat' or `--dst-nat' with `--any-nat'");
    }
    const isJson = output.size === 1 && output.has('json');
    checkOptions(command, isJson ? new Set([...options].filter((option) => option !== 'o')) : options);
    checkOwnOptions(this.own, command);
    if (command === undefined || command === 'help' || protocol === undefined) return;
    const { known } = protocol;
    if (known) {
      const names = protocolOptionNames(known);
      checkLegal(known.legal[command] ?? '', names, protocolOptions, known.pairs);
      draft.isTcp = known.name === 'tcp';
    } else if (draft.reply.family !== undefined) draft.reply.protocol ??= protocol.number;
  }

  private take(option: string): void {
    const argument = this.getopt.optarg ?? '';
    if (COMMANDS[option]) this.takeCommand(option);
    else if (option === UNKNOWN_OPTION) throw wrongParameter(`unknown option \`${this.lastWord}'`);
    else if (option === MISSING_ARGUMENT) {
      throw wrongParameter(`option \`${this.lastWord}' requires an argument`);
    } else if (option.length > 1 && PROTOCOL_FIELD.test(option)) {
      this.values.takeProtocolOption(option as ProtocolField, argument);
    } else this.takeOption(option, argument);
  }

  private takeOption(option: string, argument: string): void {
    const { values, getopt } = this;
    switch (option) {
      case 'n':
      case 'g':
      case 'j':
        values.takeNat(option, this.optionalWord());
        break;
      case 'l':
      case '<':
        values.takeLabels(option, argument);
        break;
      case '>':
        values.takeLabels(option, this.optionalWord());
        break;
      case 'p':
        values.takeProtocol(argument);
        if (values.protocol?.known) getopt.longOptions.push(...protocolLongOptions(values.protocol.known));
        break;
      default:
        values.take(option, argument);
    }
  }

  /** The word before the next one: what getopt stumbled over. */
  private get lastWord(): string {
    return this.getopt.argv[this.getopt.optind - 1] ?? '';
  }

  /** The word behind an option whose argument is optional, where it is no option. */
  private optionalWord(): string | undefined {
    const { getopt } = this;
    if (getopt.optarg !== undefined) return undefined;
    const word = getopt.argv[getopt.optind];
    if (word === undefined || word.startsWith('-') || word.startsWith('!')) return undefined;
    getopt.optind++;
    return word;
  }

  private takeCommand(letter: string): void {
    const word = this.optionalWord();
    if (word !== undefined) this.table = tableNamed(word);
    else this.table = 'conntrack';
    const isList = letter === 'L';
    if (!isList && (this.table === 'dying' || this.table === 'unconfirmed')) {
      throw wrongParameter("Can't do that command with tables `dying' and `unconfirmed'");
    }
    const command = COMMANDS[letter]![this.table === 'expect' ? 1 : 0];
    if (command === undefined) throw wrongParameter(`Can't do --${longNameOf(letter)} on expectations`);
    if (this.command !== undefined) throw wrongParameter('Invalid commands combination');
    this.command = command;
  }
}

function tableNamed(word: string): TableName {
  const order: readonly TableName[] = ['expect', 'conntrack', 'dying', 'unconfirmed'];
  const table = order.find((name) => name.startsWith(word));
  if (!table) throw wrongParameter(`unknown type \`${word}'`);
  return table;
}
