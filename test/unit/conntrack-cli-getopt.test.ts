import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Getopt, type LongOption } from '../../src/cli/getopt.ts';

const long: LongOption[] = [
  { name: 'dump', argument: 'optional', value: 'L' },
  { name: 'src', argument: 'required', value: 's' },
  { name: 'orig-src', argument: 'required', value: 's' },
  { name: 'orig-zone', argument: 'required', value: '(' },
  { name: 'src-nat', argument: 'optional', value: 'n' },
  { name: 'zero', argument: 'no', value: 'z' },
];

function read(...words: string[]) {
  const getopt = new Getopt(['prog', ...words], ':L::s:zn::', long);
  const seen: (string | [string, string])[] = [];
  for (let option = getopt.next(); option !== undefined; option = getopt.next()) {
    seen.push(getopt.optarg === undefined ? option : [option, getopt.optarg]);
  }
  return { seen, operands: getopt.argv.slice(getopt.optind), last: getopt.argv[getopt.optind - 1] };
}

test('takes clusters, arguments that stick and arguments that follow', () => {
  assert.equal(read('-zs', 'a', '-sb', '-L', '-Lc').seen, ['z', ['s', 'a'], ['s', 'b'], 'L', ['L', 'c']]);
});

test('takes long options, with = or a word', () => {
  assert.equal(read('--src', 'a', '--src=b', '--dump', '--dump=c').seen, [
    ['s', 'a'],
    ['s', 'b'],
    'L',
    ['L', 'c'],
  ]);
  assert.equal(read('--src=').seen, [['s', '']]);
});

test('takes what a long option begins with, where it is the only one or all mean the same', () => {
  assert.equal(read('--d').seen, ['L']);
  assert.equal(read('--orig-s', 'a').seen, [['s', 'a']]);
  assert.equal(read('--orig', 'a').seen, ['?']);
  assert.equal(read('--sr', 'a').seen, ['?']);
  // the whole name goes before longer names that begin with it
  assert.equal(read('--src', 'a').seen, [['s', 'a']]);
});

test('moves operands behind the options, and stops at --', () => {
  const { seen, operands } = read('one', '-z', 'two', '-s', 'a', '--', '-z', 'three');
  assert.equal(seen, ['z', ['s', 'a']]);
  assert.equal(operands, ['one', 'two', '-z', 'three']);
  assert.equal(read('-').operands, ['-']);
});

test('tells an unknown option and a missing argument, and where it stands', () => {
  assert.equal(read('-x').seen, ['?']);
  assert.equal(read('-x').last, '-x');
  assert.equal(read('-s').seen, [':']);
  assert.equal(read('--src').seen, [':']);
  assert.equal(read('--zero=1').seen, ['?']);
});

test('a caller may take the word behind an option', () => {
  const getopt = new Getopt(['prog', 'operand', '-L', 'table', '-z'], ':L::z', long);
  assert.is(getopt.next(), 'L');
  assert.is(getopt.argv[getopt.optind], 'table');
  getopt.optind++;
  assert.is(getopt.next(), 'z');
  assert.is(getopt.next(), undefined);
  assert.equal(getopt.argv.slice(getopt.optind), ['operand']);
});

test.run();
