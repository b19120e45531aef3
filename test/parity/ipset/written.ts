/** Rounds of command lines that were written by hand. */
import { hash } from './parts.ts';
import { type Round, step } from './rounds.ts';

const sets = `
create a hash:ip ${hash} timeout 0 counters comment
add a 10.0.0.1 comment "a b"
add a 10.0.0.20
add a 10.0.0.3 packets 3 bytes 4
add a 127.0.0.1
create n hash:net ${hash}
add n 10.0.0.0/8
add n 10.0.0.0/24
add n 10.0.0.128/25 nomatch
add n 9.0.0.0/8
create p hash:ip,port ${hash}
add p 10.0.0.1,tcp:80
add p 10.0.0.1,udp:80
add p 10.0.0.1,icmp:ping
add p 10.0.0.1,icmp:200/1
add p 10.0.0.1,sctp:80
add p 10.0.0.1,253:0
create six hash:net family inet6 ${hash}
add six 2001:db8::/32
add six 2001:db8::1
add six 2001:db8:1::/48
add six fe80::/10
add six ::ffff:1.2.3.4
create i hash:net,iface ${hash}
add i 10.0.0.0/24,eth0
add i 10.0.0.0/24,physdev:eth0
add i 10.0.0.0/16,et wildcard
create m bitmap:ip,mac range 10.0.0.0/24
add m 10.0.0.1
add m 10.0.0.2,02:00:00:00:00:0a
create o bitmap:port range 1-100
add o 5-7
create b bitmap:ip range 10.0.0.0/16 netmask 24
add b 10.0.3.0
create e hash:ip
create l list:set
add l n
add l a
`.trimStart();

const listings = [
  'list',
  'list a',
  'list l',
  'list nope',
  'list ""',
  'list a b',
  'list averyveryverylongnameofasetindeed',
  'save',
  'save a',
  'save nope',
  '-o plain list',
  'list -o plain',
  'list -output save',
  'list -o xml',
  'list a -o xml',
  '-o xml save',
  'save -o plain',
  '-o bogus list',
  'list -o',
  'list -n',
  'list -name a',
  'list -n -o xml',
  'list -n -o save',
  'list -t',
  'list -terse l',
  'list -t -o xml',
  'list -t -n',
  'list -t -o save',
  'save -t',
  'save -n',
  'save -n -o plain',
  'save -t -o xml',
  'save -t -o plain',
  'list -s',
  'list -sorted a',
  'list -s -o xml',
  'save -s',
  'list -r a',
  'list -q',
  'list --sorted --terse',
  '--list a',
  '-L a',
  '-S a',
  '--save',
  'l',
  'li a',
  's a',
  'sa a',
  'list -f /nonexistent/x',
  'save -f /nonexistent/x',
  'list -f',
  'list -f /dev/null -f /dev/null',
  'list -o xml nope',
];

/** One after the other: what they do builds on what was done before. */
const commands = [
  '',
  '-',
  '--',
  'bogus',
  'a',
  'add',
  'add s',
  'add s e x',
  'create',
  'create s',
  'create s bogus',
  'create s averyveryverylongnameofatypeindeed',
  'create averyveryverylongnameofasetindeed hash:ip',
  'create s hash:ip',
  'create s hash:ip',
  'create s hash:net',
  '-! create s hash:ip',
  '-! create s hash:net',
  '-exist create s hash:ip timeout 5',
  'create -exist s hash:ip',
  'create s -exist hash:ip',
  'create "" hash:ip',
  'destroy ""',
  'n t hash:ip',
  'new u hash:ip',
  '-N v hash:ip',
  '--create w hash:ip',
  '--n w2 hash:ip',
  'c x hash:ip',
  'a s 10.0.0.1',
  '-A s 10.0.0.2',
  '--add s 10.0.0.3',
  'd s 10.0.0.1',
  '-D s 10.0.0.2',
  't s 10.0.0.3',
  '-T s 10.0.0.3',
  'test s 10.0.0.4',
  '-q test s 10.0.0.3',
  '-q test s 10.0.0.4',
  'test -quiet s 10.0.0.4',
  'test nope 10.0.0.1',
  'add nope 10.0.0.1',
  'del nope 10.0.0.1',
  '-q add nope 10.0.0.1',
  '-! add nope 10.0.0.1',
  'add s 10.0.0.3',
  '-q add s 10.0.0.3',
  '-! add s 10.0.0.3',
  'add s 10.0.0.3 -!',
  'add -! s 10.0.0.3',
  'del s 10.0.0.99',
  '-! del s 10.0.0.99',
  'rename s',
  'rename s s2 s3',
  'rename s s2',
  'rename s s2',
  'ren s2 s',
  'e s s2',
  '-E s2 s',
  '--rename s t',
  'swap s t',
  'sw s t',
  'w s t',
  '-W s t',
  'swap s nope',
  'swap nope s',
  'swap s',
  'create net hash:net',
  'swap s net',
  'flush s',
  'f s',
  '-F s',
  'flush nope',
  'flush s t',
  'create lst list:set',
  'add lst s',
  'destroy s',
  'x s',
  'rename s z',
  'destroy',
  'add lst lst',
  'del lst s',
  'des s',
  '-X t',
  '--destroy u',
  'destroy nope',
  '-! destroy nope',
  'flush',
  'destroy',
  'x',
  'version',
  'v',
  '-v',
  '-V',
  '--version',
  'version x',
  'help bogus',
  'quit',
  'q',
  'quit now',
  'restore x',
  'restore -f /nonexistent/x',
  '-o',
  '-f',
  '-q',
  '-q bogus',
  '-n -t -s -q -r -!',
  `${'w '.repeat(40)}`,
];

const restores: Readonly<Record<string, string>> = {
  empty: '',
  comments: '# nothing\n\n   \n\t# more\n',
  plain: `create a hash:ip ${hash}\nadd a 10.0.0.1\nadd a 10.0.0.2\ndel a 10.0.0.1\n`,
  'no end of line': `create a hash:ip ${hash}\nadd a 10.0.0.1`,
  'carriage returns': `create a hash:ip ${hash}\r\nadd a 10.0.0.1\r\nCOMMIT\r\n`,
  commit: `create a hash:ip ${hash}\nadd a 10.0.0.1\nCOMMIT\nadd a 10.0.0.2\nCOMMIT\n`,
  'commit with white space': `create a hash:ip ${hash}\nadd a 10.0.0.1\n  COMMIT\nCOMMIT \n`,
  'twice the same': `create a hash:ip ${hash}\nadd a 10.0.0.1\nadd a 10.0.0.2\nadd a 10.0.0.1\nadd a 10.0.0.3\n`,
  'wrong element': `create a hash:ip ${hash}\nadd a 10.0.0.1\nadd a bogus\nadd a 10.0.0.2\n`,
  'wrong option': `create a hash:ip ${hash}\nadd a 10.0.0.1\nadd a 10.0.0.2 bogus\n`,
  'wrong command': `create a hash:ip ${hash}\nadd a 10.0.0.1\nbogus\n`,
  'missing set': `create a hash:ip ${hash}\nadd a 10.0.0.1\nadd b 10.0.0.1\n`,
  'kernel refuses before a wrong line': `create a hash:ip ${hash}\nadd a 10.0.0.1\nadd a 10.0.0.1\nadd a bogus\n`,
  'two sets': `create a hash:ip ${hash}\ncreate b hash:ip ${hash}\nadd a 10.0.0.1\nadd b 10.0.0.1\nadd a 10.0.0.2\n`,
  'existing set': `create a hash:ip ${hash}\ncreate a hash:ip ${hash}\n`,
  'sticky options': `create a hash:ip ${hash}\nadd a 10.0.0.1 -exist\nadd a 10.0.0.1\nadd a 10.0.0.1\n`,
  'late option': `create a hash:ip ${hash}\nadd a 10.0.0.1\nadd a 10.0.0.1 -exist\n`,
  quotes: `create a hash:ip comment ${hash}\nadd a 10.0.0.1 comment "a b  c"\nadd a 10.0.0.2 comment "x"y"z"\nadd a 10.0.0.3 comment ""\n`,
  'open quote': `create a hash:ip comment ${hash}\nadd a 10.0.0.1 comment "a b\nadd a 10.0.0.2\n`,
  'open quote at the end': `create a hash:ip comment ${hash}\nadd a 10.0.0.1 comment "ab`,
  'test in between': `create a hash:ip ${hash}\nadd a 10.0.0.1\ntest a 10.0.0.1\nadd a 10.0.0.2\n`,
  'test that misses': `create a hash:ip ${hash}\nadd a 10.0.0.1\ntest a 10.0.0.9\nadd a 10.0.0.2\n`,
  'quiet test': `create a hash:ip ${hash}\nadd a 10.0.0.1\n-q test a 10.0.0.1\nadd a 10.0.0.2\n-q test a 10.0.0.9\nadd a 10.0.0.3\n`,
  'list in between': `create a hash:ip ${hash}\nadd a 10.0.0.1\nlist a\nadd a 10.0.0.2\nsave\n`,
  'restore in it': 'restore\n',
  'help in it': `create a hash:ip\nhelp\n`,
  'version in it': 'version\n',
  'quit in it': `create a hash:ip ${hash}\nadd a 10.0.0.1\nquit\nadd a 10.0.0.2\n`,
  interactive: '-\n',
  'rename and swap': `create a hash:ip ${hash}\ncreate b hash:ip ${hash}\nadd a 10.0.0.1\nswap a b\nadd a 10.0.0.2\nrename a c\nadd c 10.0.0.3\nadd a 10.0.0.4\n`,
  'made again': `create a hash:ip ${hash}\nadd a 10.0.0.1\ndestroy a\ncreate a hash:net ${hash}\nadd a 10.0.0.0/8\n`,
  'destroy all': `create a hash:ip ${hash}\nadd a 10.0.0.1\ndestroy\nadd a 10.0.0.1\n`,
  'wrong port': `create a hash:ip,port ${hash}\nadd a 10.0.0.1,80\nadd a 10.0.0.1,tcp:bogus\n`,
  'wrong netmask': 'create a hash:ip netmask 99\n',
  'obsolete options': `create a hash:ip probes 4 ${hash}\nadd a 10.0.0.1\n`,
  'full set': `create a hash:ip maxelem 2 ${hash}\nadd a 10.0.0.1\nadd a 10.0.0.2\nadd a 10.0.0.3\nadd a 10.0.0.4\n`,
  'many words': `add ${'w '.repeat(40)}\n`,
  'thirty words': `add ${'w '.repeat(29)}\n`,
  'long line': `create a hash:ip ${hash}\nadd a 10.0.0.1 ${' '.repeat(1200)}\nadd a 10.0.0.2\n`,
  'long comment': `create a hash:ip comment ${hash}\nadd a 10.0.0.1 comment "${'c'.repeat(1100)}"\n`,
  ranges: `create a hash:ip ${hash}\nadd a 10.0.0.0/24\nadd a 10.0.1.1-10.0.1.9\ndel a 10.0.0.0/25\n`,
  'lists of sets': `create a hash:ip ${hash}\ncreate l list:set\nadd l a\nadd l nope\n`,
  hosts: `create a hash:ip ${hash}\nadd a localhost\nadd a 10.0.0.1\n`,
  'all extensions': `create a hash:ip timeout 1000 counters comment skbinfo ${hash}\nadd a 10.0.0.1 timeout 900 packets 1 bytes 2 comment "x y" skbmark 0x1/0x2 skbprio 1:2 skbqueue 3\nadd a 10.0.0.2\n`,
  'many, then wrong': `create a hash:ip ${hash}\n${Array.from({ length: 700 }, (_, i) => `add a 10.1.${i >> 8}.${i & 255}\n`).join('')}add a bogus\n`,
  'many of long names, then wrong': `create a hash:ip comment ${hash}\n${Array.from({ length: 300 }, (_, i) => `add a 10.1.${i >> 8}.${i & 255} comment ${'c'.repeat(1 + ((i * 37) % 250))}\n`).join('')}bogus\n`,
  'many interfaces, then wrong': `create a hash:net,iface ${hash}\n${Array.from({ length: 200 }, (_, i) => `add a 10.${i}.0.0/16,eth${i}\n`).join('')}bogus\n`,
  'many, one twice': `create a hash:ip ${hash}\n${Array.from({ length: 700 }, (_, i) => `add a 10.1.${i >> 8}.${i & 255}\n`).join('')}add a 10.1.1.1\nadd a 10.9.9.9\n`,
  'many six, then wrong': `create a hash:net family inet6 ${hash}\n${Array.from({ length: 300 }, (_, i) => `add a 2001:db8:${i.toString(16)}::/48\n`).join('')}add a 1.2.3.4\n`,
  deletions: `create a hash:ip ${hash}\n${Array.from({ length: 400 }, (_, i) => `add a 10.1.${i >> 8}.${i & 255}\n`).join('')}${Array.from({ length: 300 }, (_, i) => `del a 10.1.${i >> 8}.${i & 255}\n`).join('')}del a 10.1.0.1\n`,
};

/** ipset(8) crashes on these. */
const crashes: Readonly<Record<string, string>> = {
  'wrong family of icmp': `create a hash:ip,port ${hash}\nadd a 10.0.0.1,80\nadd a 10.0.0.1,icmpv6:ping\nadd a 10.0.0.1,81\n`,
};

const conversations: Readonly<Record<string, string>> = {
  nothing: '',
  commands: `create a hash:ip ${hash}\nadd a 10.0.0.1\nlist a\nquit\nlist\n`,
  errors: `create a hash:ip ${hash}\nadd a bogus\nadd a 10.0.0.1\nadd a 10.0.0.1\nbogus\nrestore\n\n# x\nversion\n`,
  tests: `create a hash:ip ${hash}\nadd a 10.0.0.1\ntest a 10.0.0.1\ntest a 10.0.0.2\n-q test a 10.0.0.1\n-q test a 10.0.0.2\n`,
};

/** Both programs read standard input: from a file, and from a person who may err. */
function inputRounds(): Round[] {
  const files = Object.values(restores).flatMap((input) =>
    ['restore', '-! restore', '-R -exist', '-q restore'].map((line) => ({
      steps: [step(line, input), step('save'), step(line, input)],
    })),
  );
  const crashing = Object.values(crashes).map((input) => ({
    steps: [{ ...step('restore', input), differs: 'no-crash' }],
  }));
  const talks = Object.values(conversations).map((input) => ({ steps: [step('-', input)] }));
  return [...files, ...crashing, ...talks];
}

/** Everything. */
export function writtenRounds(): Round[] {
  return [
    ...listings.map((line) => ({ seed: sets, steps: [step(line)] })),
    ...listings.map((line) => ({ steps: [step(line)] })),
    { steps: commands.map((line) => step(line)) },
    ...inputRounds(),
  ];
}
