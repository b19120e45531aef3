import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConntrackExit } from '../../src/cli/conntrack/exit.ts';
import { labelBits, parseLabelMap } from '../../src/cli/conntrack/labelMap.ts';
import { parseCommandLine } from '../../src/cli/conntrack/parse.ts';
import { selectFlows } from '../../src/cli/conntrack/selection.ts';
import { splitWords } from '../../src/cli/conntrack/splitWords.ts';
import { IPS } from '../../src/ctnetlink/constants.ts';
import { formatAddress } from '../../src/nfnetlink/address.ts';

const map = parseLabelMap('# names\n0 zero\n1\tone\n0x7f last\n1 again\n128 beyond\n2 two # words\nx y\n');

function parse(line: string) {
  const warnings: string[] = [];
  const words = splitWords(line) ?? [];
  const parsed = parseCommandLine(words, { warn: (text) => warnings.push(text), loadLabels: () => map });
  return { ...parsed, warnings };
}

function refusal(line: string): string {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof ConntrackExit) return `${error.status}: ${error.message}`;
    throw error;
  }
  throw new Error(`${line}: was taken`);
}

test('numbers are checked, and read as C reads them', () => {
  assert.equal(parse('-L -m 0x10/0xff').mark, { value: 16, mask: 255 });
  assert.equal(parse('-L -m 010').mark, { value: 8, mask: 0xffffffff });
  assert.is(parse('-L -w 65535').draft.zone, 65535);
  assert.match(
    refusal('-L -m zz'),
    "2: Invalid value `zz' for `--mark': it is a number from 0 to 4294967295",
  );
  assert.match(refusal('-L -m 09'), "`09' for `--mark'");
  assert.match(refusal('-L -w 65543'), "`65543' for `--zone': it is a number from 0 to 65535");
  assert.match(refusal('-L -p tcp --dport 65536'), "`65536' for `--dport'");
  assert.match(refusal('-L -t 5 '), "Illegal option `--timeout'");
});

test('addresses are read as inet_aton(3) reads them, networks make a mask', () => {
  const { draft, mask } = parse('-L -s 10.1/9');
  assert.is(formatAddress(draft.original.source!), '10.0.0.1');
  assert.is(formatAddress(mask.source!), '255.128.0.0');
  assert.match(refusal('-L -s 10.1 -d 2001:db8::1'), '2: mismatched address family');
});

test('own options are taken by their whole names alone', () => {
  assert.equal(parse('-D --max 5 --dry-run --show-plan').own, {
    dryRun: true,
    showPlan: true,
    max: 5,
    longHelp: false,
  });
  assert.is(parse('-D --max=7').own.max, 7);
  for (const line of [
    ...['-F expect --dry-run', '-L --dry-run', '--dry-run', '-F expect --max 1'],
    ...['-I -s 10.0.0.1 -d 10.0.0.2 -p 200 -t 9 --dry-run', '-F --show-plan', '-E --max 5'],
  ]) {
    assert.match(refusal(line), /Illegal option `--(dry-run|max|show-plan)' with this command/);
  }
  assert.match(refusal('-D --max'), "option `--max' requires an argument");
  assert.match(refusal('-D --dry'), "unknown option `--dry'");
});

test('labels are bits by name', () => {
  assert.equal(labelBits(parse('-L -l zero,last').labels!), [0, 127]);
  assert.equal(labelBits(parse('-L -l zero -l one').labels!), [0, 1]);
  assert.match(refusal('-L -l again'), "2: unknown label 'again'");
  assert.match(refusal('-L -l two'), "2: unknown label 'two'");
  // a file may name more bits than a kernel has: no flow has them
  assert.is(parse('-L -l beyond').labels!.length, 128);
  assert.is(parse('-U --label-del').labelChange, undefined);
  assert.match(refusal('-U --label-add one --label-del one'), '1: cannot use --label-add');
});

test('a status may be negated', () => {
  assert.equal(parse('-D -u SEEN_REPLY,!ASSURED').status, { set: IPS.SEEN_REPLY, clear: IPS.ASSURED });
  assert.equal(parse('-D -u UNREPLIED').status, { set: 0, clear: IPS.SEEN_REPLY });
});

test('the kernel gets only what every kernel compares rightly', () => {
  const features = { tupleFilter: true, zoneFilter: true };
  const plan = (line: string) => selectFlows(parse(line), features).inKernel;
  assert.equal(plan('-L -s 10.0.0.1 -m 1'), ['family', 'mark', 'original.source']);
  assert.equal(plan('-L -s 10.0.0.0/8'), ['family']);
  assert.equal(plan('-L -s 2001:db8::1'), ['family']);
  // no flow can match, and the kernel is not asked for it
  assert.equal(plan('-L -m 0x10/0x0f'), []);
  assert.equal(plan('-L -w 0'), []);
  assert.equal(plan('-L -w 5'), ['zone']);
});

test('words of a file may be quoted, as iptables-restore has them', () => {
  assert.equal(splitWords('  -A "a b" c"d"e "x\\"y"'), ['-A', 'a b', 'cd', 'e', 'x"y']);
  assert.is(splitWords(' # comment'), undefined);
  assert.is(splitWords(''), undefined);
  assert.throws(() => splitWords('x'.repeat(1024)), /Parameter too long/);
});

test.run();
