/**
 * getopt_long(3) of the GNU C library: clusters of short options, optional arguments, abbreviations of long
 * ones, and operands between options. Programs that stand for others need exactly this, and a parser of
 * our own time (commander) knows neither abbreviations nor arguments that are optional by their place.
 */

/** Whether an option takes an argument: as getopt's has_arg. */
export type HasArgument = 'no' | 'required' | 'optional';

export interface LongOption {
  readonly name: string;
  readonly argument: HasArgument;
  /** What `next` returns for it. Two names with one value and one kind of argument are never ambiguous. */
  readonly value: string;
}

/** What `next` returns where there is no such option, or its argument is missing. */
export const UNKNOWN_OPTION = '?';
export const MISSING_ARGUMENT = ':';

/**
 * Goes through a command line option by option. Operands are moved behind the options, as in C, so that
 * `optind` and `argv` may be used as programs do: to look at the word behind an option and to take it.
 */
export class Getopt {
  /** The words, permuted as far as they were read; the first is the program's name. */
  readonly argv: string[];
  /** Index of the next word. A caller that takes a word as an argument adds one. */
  optind = 1;
  /** The argument of the option that was just returned. */
  optarg: string | undefined;
  /** May grow while options are read: a protocol brings options of its own. */
  readonly longOptions: LongOption[];
  private readonly short: ReadonlyMap<string, HasArgument>;
  /** What is left of a cluster of short options. */
  private rest = '';
  /** The operands that were skipped: from `firstOperand` to `lastOperand`, the latter not included. */
  private firstOperand = 1;
  private lastOperand = 1;

  /** @param short getopt's string of short options: a colon for a required argument, two for an optional. */
  constructor(argv: readonly string[], short: string, longOptions: readonly LongOption[]) {
    this.argv = [...argv];
    this.short = readShortOptions(short);
    this.longOptions = [...longOptions];
  }

  /** The next option's character or value, '?' or ':', or undefined at the end of the options. */
  next(): string | undefined {
    this.optarg = undefined;
    if (this.rest !== '') return this.nextShort();
    if (!this.findOption()) return undefined;
    const word = this.argv[this.optind]!;
    if (word.startsWith('--')) return this.long(word.slice(2));
    this.rest = word.slice(1);
    return this.nextShort();
  }

  /** Steps over operands to the next option; false where there is none. */
  private findOption(): boolean {
    const { argv } = this;
    if (this.lastOperand > this.optind) this.lastOperand = this.optind;
    if (this.firstOperand > this.optind) this.firstOperand = this.optind;
    if (this.firstOperand !== this.lastOperand && this.lastOperand !== this.optind) this.exchange();
    else if (this.lastOperand !== this.optind) this.firstOperand = this.optind;
    while (this.optind < argv.length && !isOption(argv[this.optind]!)) this.optind++;
    this.lastOperand = this.optind;
    if (this.optind < argv.length && argv[this.optind] === '--') {
      this.optind++;
      if (this.firstOperand !== this.lastOperand && this.lastOperand !== this.optind) this.exchange();
      else if (this.firstOperand === this.lastOperand) this.firstOperand = this.optind;
      this.lastOperand = argv.length;
      this.optind = argv.length;
    }
    if (this.optind < argv.length) return true;
    if (this.firstOperand !== this.lastOperand) this.optind = this.firstOperand;
    return false;
  }

  /** Puts the operands that were skipped behind the options that came after them. */
  private exchange(): void {
    const { argv, firstOperand, lastOperand, optind } = this;
    const operands = argv.slice(firstOperand, lastOperand);
    argv.splice(firstOperand, optind - firstOperand, ...argv.slice(lastOperand, optind), ...operands);
    this.firstOperand += optind - lastOperand;
    this.lastOperand = optind;
  }

  private long(text: string): string {
    this.optind++;
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    const option = this.findLong(name);
    if (option === undefined) return UNKNOWN_OPTION;
    if (equals >= 0) {
      if (option.argument === 'no') return UNKNOWN_OPTION;
      this.optarg = text.slice(equals + 1);
    } else if (option.argument === 'required') {
      if (this.optind >= this.argv.length) return MISSING_ARGUMENT;
      this.optarg = this.argv[this.optind++]!;
    }
    return option.value;
  }

  private findLong(name: string): LongOption | undefined {
    const exact = this.longOptions.find((option) => option.name === name);
    if (exact) return exact;
    const [first, ...others] = this.longOptions.filter((option) => option.name.startsWith(name));
    const isAmbiguous = others.some(
      ({ value, argument }) => value !== first!.value || argument !== first!.argument,
    );
    return isAmbiguous ? undefined : first;
  }

  private nextShort(): string {
    const character = this.rest[0]!;
    this.rest = this.rest.slice(1);
    // as in C: the index moves on at the last character of a cluster, before it is known
    if (this.rest === '') this.optind++;
    const argument = this.short.get(character);
    if (argument === undefined) return UNKNOWN_OPTION;
    if (argument === 'no') return character;
    if (this.rest !== '') {
      this.optarg = this.rest;
      this.rest = '';
      this.optind++;
    } else if (argument === 'required') {
      if (this.optind >= this.argv.length) return MISSING_ARGUMENT;
      this.optarg = this.argv[this.optind++]!;
    }
    return character;
  }
}

function isOption(word: string): boolean {
  return word.length > 1 && word.startsWith('-');
}

const knownShortOptions = new Map<string, ReadonlyMap<string, HasArgument>>();

/** Read once for each text: a program that reads command lines from a file has the same for all. */
function readShortOptions(text: string): ReadonlyMap<string, HasArgument> {
  const known = knownShortOptions.get(text);
  if (known) return known;
  const options = new Map<string, HasArgument>();
  for (const [, character, colons] of text.replace(/^:/, '').matchAll(/([^:])(:*)/g)) {
    options.set(character!, colons === '' ? 'no' : colons === ':' ? 'required' : 'optional');
  }
  knownShortOptions.set(text, options);
  return options;
}
