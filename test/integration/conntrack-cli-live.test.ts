// Live traffic of every protocol: both programs hear the same events and list the same table.
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { endAll, isAsleep, listeners, ours, real, start } from '../support/conntrackPrograms.ts';
import { hasCommand, insideNamespace, sh, skipFile } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

for (const command of ['conntrack', 'nft', 'ping', 'python3']) {
  if (!hasCommand(command)) skipFile(import.meta.url, `no \`${command}\` command`);
}

/**
 * TCP, UDP and UDP-Lite over both families; SCTP, DCCP, GRE and a protocol that nobody knows as packets of their own:
 * an INIT, a Request, and a GRE header of version 0.
 */
const TRAFFIC = `
import socket
def stream(family, address):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((address, 0)); listener.listen()
    client = socket.socket(family, socket.SOCK_STREAM)
    client.connect(listener.getsockname()); server, _ = listener.accept()
    client.send(b'x'); server.recv(1); server.send(b'y'); client.recv(1)
    client.close(); server.close()
def datagram(family, address, protocol=0):
    try:
        one = socket.socket(family, socket.SOCK_DGRAM, protocol)
    except OSError:
        return
    two = socket.socket(family, socket.SOCK_DGRAM, protocol)
    one.bind((address, 0)); two.bind((address, 0))
    one.sendto(b'x', two.getsockname()); two.recv(9); two.sendto(b'y', one.getsockname()); one.recv(9)
packets = {
    132: '8000 8001 00000000 00000000 01 00 0014 00000001 00010000 0001 0001 00000001',
    33: '8000 8001 05 00 0000 01 00 0000 00000001 00000000',
    47: '0000 0800',
    253: '78',
}
for family, address in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    stream(family, address)
    datagram(family, address); datagram(family, address, 136)
    for protocol, packet in packets.items():
        with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
            raw.sendto(bytes.fromhex(packet), (address, 0))
`;

function makeTraffic(): void {
  sh('python3', '-c', TRAFFIC);
  sh('ping', '-q', '-c', '1', '127.0.0.1');
  sh('ping', '-q', '-c', '1', '::1');
}

await insideNamespace(import.meta.url, () => {
  sh('nft', 'add table inet t');
  sh('nft', 'add chain inet t o { type filter hook output priority 0; }');
  sh('nft', 'add rule inet t o ct state new accept');

  for (const options of [
    [],
    ['-o', 'extended,id'],
    ['-o', 'xml'],
    ['-o', 'save'],
    ['-p', 'udp'],
    ['-e', 'NEW,DESTROY'],
  ]) {
    test(`-E ${options.join(' ')} prints the same`, async () => {
      sh('conntrack', '-F');
      const pair = [start(real, '-E', ...options), start(ours, '-E', ...options)];
      await until('both listen', () => listeners() >= 2);
      makeTraffic();
      sh(
        'conntrack',
        '-I',
        '-p',
        'udp',
        '-s',
        '9.9.9.9',
        '-d',
        '8.8.8.8',
        '--sport',
        '1',
        '--dport',
        '2',
        '-t',
        '50',
      );
      sh('conntrack', '-D', '-p', 'udp', '-s', '9.9.9.9');
      const [theirs, mine] = pair as [(typeof pair)[0], (typeof pair)[0]];
      const isDone = (text: string) =>
        /\[DESTROY\].*9\.9\.9\.9|"destroy".*9\.9\.9\.9|-D .*9\.9\.9\.9/.test(text);
      await until('both have printed the last event', () => pair.every(({ written }) => isDone(written.out)));
      // a signal in the middle of a write makes the real program print the line twice
      await until('the real program waits for events', () => isAsleep(theirs));
      for (const { child } of pair) {
        child.kill('SIGTERM');
        const [code] = await once(child, 'close');
        assert.is(code, 0);
      }
      // whether the program behind a request still lives when its name is looked up is luck
      const withoutNames = (text: string) => text.replace(/ progname=\S+/g, '');
      assert.is(withoutNames(mine.written.out), withoutNames(theirs.written.out));
      assert.is(mine.written.err, theirs.written.err);
      assert.match(mine.written.err, / flow events have been shown\.\n$/);
    });
  }

  test('-L lists the same live flows', () => {
    makeTraffic();
    const listed = (program: typeof ours, ...options: string[]) =>
      sh(...program, '-L', ...options)
        // what counts down, and how many hold an entry at this moment
        .replace(/^((?:ipv[46] +\d+ )?[a-z]\w* +\d+ )\d+ /gm, '$1N ')
        .replace(/use=\d+/g, 'use=N')
        .split('\n')
        .sort()
        .join('\n');
    for (const options of [[], ['-o', 'extended,id'], ['-f', 'ipv6'], ['-p', 'tcp']]) {
      assert.is(listed(ours, ...options), listed(real, ...options));
    }
  });

  test('-o json is one object a line, with both tuples', () => {
    const lines = sh(...ours, '-L', '-o', 'json')
      .trim()
      .split('\n');
    assert.ok(lines.length > 3);
    for (const line of lines) {
      const flow = JSON.parse(line);
      assert.is(flow.original.source, flow.source);
      assert.type(flow.reply.destination, 'string');
      assert.type(flow.id, 'number');
    }
  });

  test('--max and --dry-run leave the table as it is', () => {
    const before = sh('conntrack', '-C');
    assert.throws(() => sh(...ours, '-D', '--max', '1'), /--max allows 1: nothing was done/);
    sh(...ours, '-D', '--dry-run');
    sh(...ours, '-F', '--dry-run');
    assert.throws(() => sh(...ours, '-R', '/dev/null', '--dry-run'), /Illegal option `--dry-run'/);
    assert.is(sh('conntrack', '-C'), before);
  });

  test('a reader that stops reading ends the list quietly', () => {
    const flows = Array.from(
      { length: 5000 },
      (_, i) => `-A -t 900 -s 10.1.${i >> 8}.${i & 255} -d 192.0.2.1 -p udp --sport 1 --dport 2`,
    );
    sh('sh', '-c', 'printf %s "$1" | "$0" -R -', 'conntrack', `${flows.slice(0, 1000).join('\n')}\n`);
    const text = sh('sh', '-c', '"$@" -L | head -n 1', 'sh', ...ours);
    assert.is(text.trim().split('\n').length, 1);
  });

  test.after.each(endAll);
  test.run();
});
