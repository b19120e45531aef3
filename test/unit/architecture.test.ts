import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** What each part of the house may import from, beside itself. */
const arrows: Record<string, readonly string[]> = {
  nfnetlink: [],
  ctnetlink: ['nfnetlink'],
  ipset: ['nfnetlink'],
  rtnetlink: ['nfnetlink'],
  testing: ['nfnetlink', 'ctnetlink', 'ipset'],
  model: ['nfnetlink', 'ctnetlink', 'ipset', 'rtnetlink', 'testing'],
  daemon: ['nfnetlink', 'ctnetlink', 'ipset', 'rtnetlink'],
  capture: ['nfnetlink'],
  nftables: ['nfnetlink'],
  report: ['nfnetlink', 'ctnetlink'],
  lab: [],
  cli: [
    'nfnetlink',
    'ctnetlink',
    'ipset',
    'rtnetlink',
    'nftables',
    'capture',
    'report',
    'daemon',
    'lab',
    'model',
  ],
};

/** Inside nfnetlink the arrow points from the later to the earlier. */
const floor = ['bytes.ts', 'attribute.ts', 'codec.ts'];

/** What opens an operating system's socket, or loads native code; and where that is allowed. */
const systemSockets = [
  { modules: /^(?:node:)?ffi$|^netlink(?:\/|$)/, allowed: /^nfnetlink\/transport\// },
  { modules: /^(?:node:)?dgram$/, allowed: /^(?:nfnetlink\/transport\/|lab\/agent\.ts$)/ },
  {
    modules: /^(?:node:)?(?:net|tls|https?|http2)$/,
    allowed: /^(?:(?:nfnetlink\/transport|daemon)\/|lab\/agent\.ts$)/,
  },
  { words: /process\s*(?:\.\s*(?:binding|dlopen)\b|\[)/, allowed: /^nfnetlink\/transport\// },
];

const root = fileURLToPath(new URL('../../src', import.meta.url));

interface SourceFile {
  /** From src, with slashes: 'ctnetlink/flow.ts'. */
  readonly path: string;
  /** The text without comments, so that prose may name what code may not. */
  readonly code: string;
  readonly imports: readonly string[];
}

/** Blanks comments, leaving strings, templates and regular expressions as they are. */
function withoutComments(text: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:?!&|]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\//g;
  return text.replace(token, (match) => (/^\/[/*]/.test(match) ? ' ' : match));
}

function importsOf(code: string): string[] {
  const specifier = /\b(?:from|import|require|getBuiltinModule)\s*\(?\s*(['"])([^'"\n]+)\1/g;
  return [...code.matchAll(specifier)].map((match) => match[2]!);
}

function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return readSources(path);
    const code = withoutComments(readFileSync(path, 'utf8'));
    return [{ path: relative(root, path).replaceAll('\\', '/'), code, imports: importsOf(code) }];
  });
}

/** 'ctnetlink/flow.ts' importing '../nfnetlink/codec.ts' reaches 'nfnetlink/codec.ts'. */
const reached = (file: SourceFile, specifier: string) =>
  relative(root, join(root, dirname(file.path), specifier)).replaceAll('\\', '/');

const partOf = (path: string) => path.split('/')[0]!;

function arrowFaults(file: SourceFile): string[] {
  const part = partOf(file.path);
  const faults: string[] = [];
  if (!(part in arrows)) faults.push(`${file.path}: no such part of the house: ${part}`);
  for (const specifier of file.imports.filter((name) => name.startsWith('.'))) {
    const target = reached(file, specifier);
    if (target.startsWith('..')) faults.push(`${file.path} reaches out of src: ${specifier}`);
    if (!/\.ts$/.test(target)) faults.push(`${file.path} imports without its extension: ${specifier}`);
    if (partOf(target) !== part && !arrows[part]?.includes(partOf(target))) {
      faults.push(`${file.path} must not import ${target}`);
    }
    const inFloor = (path: string) => floor.indexOf(path.replace(/^nfnetlink\//, ''));
    if (inFloor(file.path) >= 0 && inFloor(target) > inFloor(file.path)) {
      faults.push(`${file.path} must not import ${target}`);
    }
  }
  return faults;
}

function socketFaults(file: SourceFile): string[] {
  return systemSockets
    .filter(({ allowed }) => !allowed.test(file.path))
    .filter(
      ({ modules, words }) => words?.test(file.code) || file.imports.some((name) => modules?.test(name)),
    )
    .map(({ modules, words }) => `${file.path} must not touch the operating system: ${modules ?? words}`);
}

function wordFaults(file: SourceFile): string[] {
  const faults: string[] = [];
  if (/^(?:utils?|helpers?|common|types)\.ts$/.test(basename(file.path))) {
    faults.push(`${file.path}: name the file after the one thing that it holds`);
  }
  if (/(?:^|[;}\n])\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/.test(file.code)) {
    faults.push(`${file.path}: a const object, not an enum`);
  }
  if (/\bnew\s+Function\b|\beval\s*\(/.test(file.code)) faults.push(`${file.path}: no code made from text`);
  return faults;
}

/** A barrel is a file that does nothing but hand on what others hold. */
function barrelFaults(file: SourceFile): string[] {
  const rest = file.code.replace(
    /export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+['"][^'"]+['"];?/g,
    '',
  );
  const isBarrel = rest.trim() === '';
  const isIndex = /^[^/]+\/index\.ts$/.test(file.path);
  if (isBarrel && !isIndex) return [`${file.path}: a subsystem's index.ts is its only barrel`];
  return [];
}

/** A cycle of imports leaves one of its files with undefined names, depending on who was loaded first. */
function cycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    const file = byPath.get(path);
    if (!file || done.has(path) || trail.includes(path)) return;
    const values = importsOf(file.code.replace(/\b(?:import|export)\s+type\b[^;]*;/g, ''));
    for (const name of values.filter((each) => each.startsWith('.')))
      visit(reached(file, name), [...trail, path]);
    done.add(path);
  };
  for (const file of files) visit(file.path, []);
  return found;
}

const sources = readSources(root);
const source = (path: string, code: string): SourceFile => ({ path, code, imports: importsOf(code) });

test('the house has files to look at', () => {
  assert.ok(sources.length > 5);
  assert.ok(sources.some((file) => file.imports.length > 0));
});

test('arrows point one way', () => {
  assert.equal(sources.flatMap(arrowFaults), []);
});

test('only the transports touch sockets', () => {
  assert.equal(sources.flatMap(socketFaults), []);
});

test('names and words of the house', () => {
  assert.equal(sources.flatMap(wordFaults), []);
});

test('one barrel a subsystem', () => {
  assert.equal(sources.flatMap(barrelFaults), []);
});

test('no import leads back to its own file', () => {
  assert.equal(cycles(sources), []);
});

test('each fault is found', () => {
  const faulty: [SourceFile, (file: SourceFile) => string[]][] = [
    [source('ctnetlink/flow.ts', "import { x } from '../ipset/set.ts';"), arrowFaults],
    [source('ipset/set.ts', "export * from '../ctnetlink/flow.ts';"), arrowFaults],
    [source('nfnetlink/bytes.ts', "import type { A } from './codec.ts';"), arrowFaults],
    [source('nfnetlink/request.ts', "const late = await import('../cli/main.ts');"), arrowFaults],
    [source('nfnetlink/request.ts', "import { x } from './bytes';"), arrowFaults],
    [source('utils/list.ts', ''), arrowFaults],
    [source('ctnetlink/flow.ts', "import ffi from 'node:ffi';"), socketFaults],
    [source('ctnetlink/flow.ts', "process.getBuiltinModule('node:ffi')"), socketFaults],
    [source('ctnetlink/flow.ts', "process.binding('udp_wrap')"), socketFaults],
    [source('nfnetlink/request.ts', "import net from 'node:net';"), socketFaults],
    [source('cli/main.ts', "import { RawNetlinkSocket } from 'netlink';"), socketFaults],
    [source('cli/helpers.ts', ''), wordFaults],
    [source('cli/main.ts', 'export const enum Colour {}'), wordFaults],
    [source('cli/main.ts', "new Function('x')"), wordFaults],
    [source('cli/commands.ts', "export * from './main.ts';"), barrelFaults],
  ];
  for (const [file, faults] of faulty) assert.is(faults(file).length > 0, true, `${file.path}: ${file.code}`);
  const ring = [
    source('cli/a.ts', "import { b } from './b.ts';"),
    source('cli/b.ts', "import { a } from './a.ts';"),
  ];
  assert.is(cycles(ring).length, 1);
});

test('comments are not code', () => {
  const text = "/* process.dlopen */ const url = 'http://x'; // new Function\nconst rule = /'/; // net";
  assert.is(withoutComments(text), "  const url = 'http://x';  \nconst rule = /'/;  ");
});

test.run();
