/** UCI as libuci reads it: quoting, comments, lists, sections that come twice, and the place of every fault. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/daemon/config/configError.ts';
import { decodeUci, type UciSection } from '../../src/daemon/mwan3/uci.ts';

const sectionsOf = (text: string) => decodeUci('f', text).sections;

/** The value of the only option of the only section, when it is written so. */
function wordOf(written: string): string | undefined {
  const [section] = sectionsOf(`config t\noption o ${written}\n`);
  return section!.options.get('o')?.values[0]?.text;
}

const quoting: readonly [written: string, value: string | undefined][] = [
  ['plain', 'plain'],
  ["'single'", 'single'],
  ['"double"', 'double'],
  [`'a b' # comment`, 'a b'],
  [`a'b'"c"\\d`, 'abcd'],
  [`'it'\\''s'`, "it's"],
  [`"say \\"hi\\""`, 'say "hi"'],
  [`'back\\slash'`, 'back\\slash'],
  [`"back\\\\slash"`, 'back\\slash'],
  [`"\\n"`, 'n'],
  [`'#' # comment`, '#'],
  ['\\#', '#'],
  ['a#b', 'a'],
  [`'a'#b`, 'a'],
  ['a\\ b', 'a b'],
  ["'two\nlines'", 'two\nlines'],
  ['"two\nlines"', 'two\nlines'],
  ['"one \\\nline"', 'one line'],
  ['"one \\\r\nline"', 'one line'],
  ['go\\\ning', 'going'],
  ['a;', 'a'],
  [`'a;b'`, 'a;b'],
  ['plain\r', 'plain'],
  ['', undefined],
  ["''", undefined],
  ['""', undefined],
  ['# comment', undefined],
  ['\t  far', 'far'],
];

for (const [written, value] of quoting) {
  test(`option o ${JSON.stringify(written)}`, () => assert.is(wordOf(written), value));
}

/** A section without its maps, for comparison. */
function shown({ type, name, line, options }: UciSection) {
  const values = [...options.values()].map(
    (option) =>
      `${option.isList ? 'list' : 'option'} ${option.name} ${option.values.map((v) => `${v.text}@${v.line}`)}`,
  );
  return [`${type} ${name} @${line}`, ...values];
}

const structures: readonly [what: string, text: string, sections: readonly (readonly string[])[]][] = [
  ['nothing', '', []],
  ['comments and empty lines', '# a\n\n \t\n  # b', []],
  ['named and anonymous', "config a 'x'\nconfig 'b'\n", [['a x @1'], ['b undefined @2']]],
  ['an empty name is none', "config a ''\nconfig a ''", [['a undefined @1'], ['a undefined @2']]],
  ['package is passed over', 'package mwan3\nconfig a x', [['a x @2']]],
  ['short commands', 'c a x\no k v\nl m n', [['a x @1', 'option k v@2', 'list m n@3']]],
  ['several on a line', "config a x; option k 'v'; list m n", [['a x @1', 'option k v@1', 'list m n@1']]],
  ['a list', 'config a x\nlist k 1\nlist k 2', [['a x @1', 'list k 1@2,2@3']]],
  ['an option twice', 'config a x\noption k 1\noption k 2', [['a x @1', 'option k 2@3']]],
  ['an option, then a list', 'config a x\noption k 1\nlist k 2', [['a x @1', 'list k 1@2,2@3']]],
  ['a list, then an option', 'config a x\nlist k 1\noption k 2', [['a x @1', 'option k 2@3']]],
  ['no value takes no value away', "config a x\noption k 1\noption k ''", [['a x @1', 'option k 1@2']]],
  [
    'one name twice is one section',
    'config a x\noption k 1\nconfig b y\nconfig a x\noption m 2',
    [['a x @1', 'option k 1@2', 'option m 2@5'], ['b y @3']],
  ],
  [
    'lines behind quotes of two lines',
    "config a x\noption k 'two\nlines'\noption m 1",
    [['a x @1', 'option k two\nlines@2', 'option m 1@4']],
  ],
  [
    'lines behind a continuation',
    'config a x\noption k o\\\nne\noption m 1',
    [['a x @1', 'option k one@2', 'option m 1@4']],
  ],
  ['no line feed at the end', 'config a x', [['a x @1']]],
];

for (const [what, text, sections] of structures) {
  test(what, () => assert.equal(sectionsOf(text).map(shown), sections));
}

const faults: readonly [text: string, problem: string][] = [
  ["config a x\noption k 'v\n\n", "line 2: this ' is not closed"],
  ['config a x\n\noption k "v\\"', 'line 3: this " is not closed'],
  ['option k v', 'line 1: option or list before the first section'],
  ['config', 'line 1: insufficient arguments'],
  ['config a x\noption', 'line 2: insufficient arguments'],
  ['config a x y', 'line 1: too many arguments: "y"'],
  ['config a x\noption k v w', 'line 2: too many arguments: "w"'],
  ['config a x\noption k \\\n  v', 'line 3: too many arguments: "v"'],
  ['config a x\noptoin k v', 'line 2: invalid command "optoin": config, option, list or package'],
  ['config a x\n}', 'line 2: invalid command "}": config, option, list or package'],
  ['config a x-y', 'line 1: invalid character in name "x-y"'],
  ['config a x\noption k.l v', 'line 2: invalid character in name "k.l"'],
  ["config 'a b' x", 'line 1: invalid character in type "a b"'],
  ['package', 'line 1: insufficient arguments'],
  ['config a x\nconfig b x', 'line 2: section "x" of type b is already of type a on line 1'],
];

for (const [text, problem] of faults) {
  test(`fault: ${problem}`, () => {
    try {
      decodeUci('/etc/config/f', text);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, ConfigError);
      assert.equal((error as ConfigError).problems, [problem]);
      assert.is((error as ConfigError).message, `/etc/config/f: ${problem}`);
    }
  });
}

/** A value as `uci export` writes it. */
const exported = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`;
/** A value character by character, each in one of the ways that a word may be written. */
const mixed = (value: string, ways: readonly number[]) =>
  [...value]
    .map((char, i) => {
      const way = ways[i % ways.length]! % 3;
      if (way === 0 && char !== "'") return `'${char}'`;
      if (way === 1 && char !== '\n') return `\\${char}`;
      return `"${/["\\]/.test(char) ? '\\' : ''}${char}"`;
    })
    .join('');

const name = fc.stringMatching(/^[A-Za-z0-9_]{1,12}$/);
const value = fc
  .array(fc.constantFrom('a', 'Z', ' ', "'", '"', '\\', '#', ';', '\n', '\t', 'ä', '.', '/'), {
    minLength: 1,
    maxLength: 12,
  })
  .map((chars) => chars.join(''));

test('what is exported is read again', () => {
  const values = fc.array(value, { minLength: 1, maxLength: 3 });
  const options = fc.uniqueArray(fc.record({ name, values }, { noNullPrototype: true }), {
    selector: (option) => option.name,
    maxLength: 4,
  });
  const file = fc.uniqueArray(fc.record({ name, options }, { noNullPrototype: true }), {
    selector: (section) => section.name,
    maxLength: 5,
  });
  fc.assert(
    fc.property(file, (sections) => {
      const text = sections
        .map(
          (section) =>
            `\nconfig type '${section.name}'\n${section.options
              .flatMap((option) =>
                option.values.map(
                  (each) =>
                    `\t${option.values.length > 1 ? 'list' : 'option'} ${option.name} ${exported(each)}\n`,
                ),
              )
              .join('')}`,
        )
        .join('');
      const read = sectionsOf(text).map((section) => ({
        name: section.name,
        options: [...section.options.values()].map((option) => ({
          name: option.name,
          values: option.values.map((each) => each.text),
        })),
      }));
      assert.equal(read, sections);
    }),
  );
});

test('however a word is quoted, it is the same word', () => {
  fc.assert(
    fc.property(value, fc.array(fc.nat(2), { minLength: 1, maxLength: 8 }), (text, ways) => {
      assert.is(wordOf(mixed(text, ways)), text);
      assert.is(wordOf(`${mixed(text, ways)} # behind`), text);
    }),
  );
});

test('any text is read or refused with a line that it has', () => {
  const pieces = fc.constantFrom(
    'config ',
    'option ',
    'list ',
    'a',
    "'",
    '"',
    '\\',
    '\n',
    ';',
    '#',
    ' ',
    '\r\n',
    '\0',
    'é',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const text = parts.join('');
      try {
        for (const { line } of sectionsOf(text)) assert.ok(line >= 1 && line <= text.split('\n').length);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const line = Number(/^line (\d+): /.exec(error.problems[0]!)?.[1]);
        assert.ok(line >= 1 && line <= text.split('\n').length + 1, error.problems[0]);
      }
    }),
    { numRuns: 2000 },
  );
});

test.run();
