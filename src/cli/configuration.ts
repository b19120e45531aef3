import { loadPlan } from '../daemon/config/config.ts';
import { ConfigError } from '../daemon/config/configError.ts';
import type { Plan } from '../daemon/plan.ts';
import { type CliError, usageError } from './errors.ts';

/**
 * The plan of a configuration file.
 * @throws CliError with every problem on a line of its own.
 */
export function loadConfiguration(file: string): Plan {
  try {
    return loadPlan(file);
  } catch (error) {
    throw error instanceof ConfigError ? configurationError(error) : error;
  }
}

function configurationError({ file, problems }: ConfigError): CliError {
  const [first = '', ...others] = problems;
  // explainError() writes the program's name before the first
  const lines = [first, ...others.map((problem) => `\nresteer: ${file}: ${problem}`)];
  return usageError(file, lines.join(''));
}
