import type { OptionName } from './commands.ts';

export type OutputMode = 'plain' | 'save' | 'xml' | 'json';

/** Options of the command line. Once given they hold for every line that follows. */
export class Settings {
  output: OutputMode | undefined;
  isSorted = false;
  isQuiet = false;
  isResolving = false;
  isExist = false;
  namesOnly = false;
  isTerse = false;
  file: string | undefined;
  /** Answers to what the line that is being read asked for. */
  readonly answers = new Map<string, unknown>();

  /** @returns why the option cannot be, if so */
  set(option: OptionName, value: string): string | undefined {
    switch (option) {
      case 'output':
        if (value !== 'plain' && value !== 'save' && value !== 'xml' && value !== 'json') {
          return `unknown output mode '${value}'`;
        }
        this.output = value;
        break;
      case 'sorted':
        this.isSorted = true;
        break;
      case 'quiet':
        this.isQuiet = true;
        break;
      case 'resolve':
        this.isResolving = true;
        break;
      case 'exist':
        this.isExist = true;
        break;
      case 'name':
        this.namesOnly = true;
        break;
      case 'terse':
        this.isTerse = true;
        break;
      case 'file':
        if (this.file !== undefined) return '-file option cannot be used when full io is activated';
        this.file = value;
    }
    return undefined;
  }
}
