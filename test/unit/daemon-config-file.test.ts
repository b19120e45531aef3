/** A configuration as a file: what cannot be read, and where a text is no JSON. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadPlan } from '../../src/daemon/config/config.ts';
import { ConfigError } from '../../src/daemon/config/configError.ts';
import { findJsonFault, placeOf } from '../../src/daemon/config/jsonFault.ts';
import { nearest } from '../../src/daemon/config/nearest.ts';
import { decodeJson } from '../../src/daemon/config/text.ts';

const folder = mkdtempSync(join(tmpdir(), 'resteer-config-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function errorOf(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    assert.instance(error, ConfigError);
    return error as ConfigError;
  }
  throw new Error('nothing was thrown');
}

const faultOf = (bytes: Uint8Array) => errorOf(() => decodeJson('f.json', bytes)).message;
const faultIn = (text: string) => faultOf(new TextEncoder().encode(text));

test('a good file is a plan', () => {
  const file = join(folder, 'good.json');
  writeFileSync(
    file,
    '{"markMask":"0xff00","interfaces":{"wan":{"mark":256}},"rules":[{"set":"a","interfaces":["wan"]}]}\n',
  );
  assert.is(loadPlan(file).rules[0]!.set, 'a');
});

test('a file that cannot be read', () => {
  const missing = join(folder, 'none.json');
  const { message, problems, file } = errorOf(() => loadPlan(missing));
  assert.is(message, `${missing}: no such file: write one, or name another with --config`);
  assert.equal(problems, ['no such file: write one, or name another with --config']);
  assert.is(file, missing);
  assert.is(errorOf(() => loadPlan(folder)).message, `${folder}: it is a directory: name a file`);
  writeFileSync(join(folder, 'file'), '');
  const below = join(folder, 'file', 'resteer.json');
  assert.match(errorOf(() => loadPlan(below)).message, 'a part of the path is not a directory');
});

test('bytes that are no text', () => {
  assert.match(faultOf(Uint8Array.of()), 'f.json: is empty');
  assert.match(faultIn(' \n\t'), 'f.json: is empty');
  assert.is(faultIn('\ufeff{}'), 'f.json: begins with a byte order mark: save it as UTF-8 without one');
  const latin1 = Uint8Array.from([...'{\n"ä": 1,\n"b": "ü"}'].map((char) => char.charCodeAt(0)));
  assert.is(faultOf(latin1), 'f.json: line 2: is not UTF-8 text: save it as UTF-8');
  assert.is(faultOf(latin1.subarray(2, 6)), 'f.json: line 1: is not UTF-8 text: save it as UTF-8');
  const utf16 = Uint8Array.of(0xff, 0xfe, 0x7b, 0, 0x7d, 0);
  assert.match(faultOf(utf16), 'is not UTF-8 text');
  // the replacement character itself is text
  assert.is(decodeJson('f.json', new TextEncoder().encode('"\ufffd"')), '\ufffd');
});

const places: readonly [text: string, line: number, column: number, what: string][] = [
  ['{', 1, 2, 'the text ends where text in double quotes should stand'],
  ['{"a": 1\n "b": 2}', 2, 2, '"\\"" where "," or "}" should stand'],
  ['{"a": 1,\n}', 2, 1, '"}" behind a comma: take the comma away'],
  ['[1,\n2,\n]', 3, 1, '"]" behind a comma: take the comma away'],
  ['{"a" 1}', 1, 6, '"1" where ":" should stand'],
  ['{a: 1}', 1, 2, '"a" where text in double quotes should stand'],
  ["{'a': 1}", 1, 2, 'JSON has double quotes only'],
  ['{"a": 1, // mark\n"b": 2}', 1, 10, 'JSON has no comments'],
  ['# mark\n{}', 1, 1, 'JSON has no comments'],
  ['/* mark */ {}', 1, 1, 'JSON has no comments'],
  ['{"a": 0x100}', 1, 7, 'JSON has no hexadecimal numbers: put it into double quotes'],
  ['{"a": 01}', 1, 7, '"0" where a value should stand'],
  ['{"a": True}', 1, 7, '"T" where a value should stand'],
  ['{"a": "b\n"}', 1, 7, 'this text does not end, or has a wrong escape'],
  ['{"a": "\\x"}', 1, 7, 'this text does not end, or has a wrong escape'],
  ['{} {}', 1, 4, '"{" where the end should stand'],
  ['{"a": 1, "b": 2,\n "a": 3}', 2, 2, 'the key "a" stands here a second time'],
  ['{"a": {"x": 1}, "b": {"x": 1, "\\u0078": 2}}', 1, 31, 'the key "x" stands here a second time'],
  ['['.repeat(100_000), 1, 66, 'more than 64 brackets within each other'],
];

for (const [text, line, column, what] of places) {
  test(`no JSON: ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.is(faultIn(text), `f.json: line ${line}, column ${column}: ${what}`);
  });
}

test('a text has a fault where JSON.parse finds one, and only there', () => {
  const json = fc.json({ maxDepth: 4 });
  const edit = fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...'{}[],:"\\ \n\t0-.eEtrue/\u0001a'));
  fc.assert(
    fc.property(json, fc.array(edit, { maxLength: 3 }), (text, edits) => {
      let edited = text;
      for (const [at, removed, added] of edits) {
        const place = at % (edited.length + 1);
        edited = edited.slice(0, place) + added + edited.slice(place + removed);
      }
      let isJson = true;
      try {
        JSON.parse(edited);
      } catch {
        isJson = false;
      }
      const fault = findJsonFault(edited);
      // which JSON.parse passes over
      const isRepeated = fault?.what.includes('a second time') ?? false;
      assert.is(
        fault === undefined || (isJson && isRepeated),
        isJson,
        `${JSON.stringify(edited)}: ${fault?.what}`,
      );
      if (fault) assert.ok(fault.at >= 0 && fault.at <= edited.length);
    }),
    { numRuns: 3000 },
  );
});

test('lines and columns count from 1', () => {
  assert.equal(placeOf('', 0), { line: 1, column: 1 });
  assert.equal(placeOf('a\nbc\n', 3), { line: 2, column: 2 });
  assert.equal(placeOf('a\nbc\n', 5), { line: 3, column: 1 });
});

test('the nearest name', () => {
  const cases: readonly [string, readonly string[], string | undefined][] = [
    ['wam', ['wan', 'wanb'], 'wan'],
    ['wnab', ['wan', 'wanb'], 'wanb'],
    ['WANB', ['wan', 'wanb'], 'wanb'],
    ['dts', ['src', 'dst'], 'dst'],
    ['x', ['wan'], undefined],
    ['uplink', ['wan'], undefined],
    ['', ['wan'], undefined],
    ['wan', [], undefined],
    ['protcol', ['protocol', 'ports'], 'protocol'],
    ['a'.repeat(100_000), ['a'], undefined],
  ];
  for (const [text, candidates, expected] of cases)
    assert.is(nearest(text, candidates), expected, text.slice(0, 9));
});

test.run();
