import { readFileSync } from 'node:fs';

// the bundle has the version in it; started from the sources, package.json says it
declare const RESTEER_VERSION: string | undefined;

export const version: string =
  typeof RESTEER_VERSION === 'string'
    ? RESTEER_VERSION
    : JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
