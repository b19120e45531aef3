import { readFileSync } from 'node:fs';
import { ConfigError } from './configError.ts';
import { findJsonFault, placeOf } from './jsonFault.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file: write one, or name another with --config',
  ENOTDIR: 'no such file: a part of the path is not a directory',
  EACCES: 'permission denied: check who may read it',
  EISDIR: 'it is a directory: name a file',
};

/**
 * The value of a JSON file.
 * @throws ConfigError where it cannot be read, or is no JSON in UTF-8.
 */
export function readJsonFile(file: string): unknown {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError(file, [reasons[code ?? ''] ?? `cannot be read: ${message}`]);
  }
  return decodeJson(file, bytes);
}

/** The value of JSON bytes; `file` is the name for errors. Throws ConfigError. */
export function decodeJson(file: string, bytes: Uint8Array): unknown {
  const text = decodeUtf8(file, bytes);
  if (text.trim() === '')
    throw new ConfigError(file, ['is empty: at least "markMask", "interfaces", "rules"']);
  if (text.startsWith('\ufeff')) {
    throw new ConfigError(file, ['begins with a byte order mark: save it as UTF-8 without one']);
  }
  const fault = findJsonFault(text);
  if (!fault) return JSON.parse(text);
  const { line, column } = placeOf(text, fault.at);
  throw new ConfigError(file, [`line ${line}, column ${column}: ${fault.what}`]);
}

function decodeUtf8(file: string, bytes: Uint8Array): string {
  const text = utf8(bytes);
  if (text !== undefined) return text;
  let line = 1;
  // no byte of a longer character is a line feed, so lines can be judged one by one
  for (let start = 0, end = bytes.indexOf(10); end !== -1; start = end + 1, end = bytes.indexOf(10, start)) {
    if (utf8(bytes.subarray(start, end)) === undefined) break;
    line++;
  }
  throw new ConfigError(file, [`line ${line}: is not UTF-8 text: save it as UTF-8`]);
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
