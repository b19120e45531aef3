import type { ParityCase, ParityTool, Step } from '../tool.ts';
import { differenceShown, differingLines } from './differences.ts';
import { generatedCases } from './generated.ts';
import { writtenCases } from './written.ts';

/** Flows of every protocol, family, zone and translation; timeouts are multiples of 100, for normalise(). */
export const SEED = `
-A -t 1000 -u UNSET -s 10.0.0.1 -d 10.0.1.1 -p tcp --sport 1001 --dport 80 --state SYN_SENT
-A -t 2000 -u SEEN_REPLY,ASSURED -s 10.0.0.2 -d 10.0.1.1 -p tcp --sport 1002 --dport 443 --state ESTABLISHED -m 1
-A -t 3000 -u SEEN_REPLY -s 10.0.0.3 -d 10.0.1.2 -p tcp --sport 1003 --dport 443 --state TIME_WAIT -m 0x202
-A -t 3000 -u SEEN_REPLY,ASSURED -s 10.0.0.4 -d 10.0.1.3 -r 192.168.7.7 -q 10.0.0.4 -p tcp --sport 1004 --dport 8080 --reply-port-src 80 --reply-port-dst 1004 --state FIN_WAIT
-A -t 3000 -s 10.0.0.5 -d 10.0.1.4 -n 203.0.113.5 -p tcp --sport 1005 --dport 22 --state ESTABLISHED
-A -t 3000 -s 10.0.0.6 -d 10.0.1.5 -g 192.168.9.9:8443 -p tcp --sport 1006 --dport 443 --state ESTABLISHED -m 0xffffffff
-A -t 1500 -s 10.0.0.7 -d 10.0.1.1 -p udp --sport 2001 --dport 53
-A -t 1500 -u SEEN_REPLY -s 10.0.0.8 -d 10.0.1.1 -p udp --sport 2002 --dport 53 -w 5 -m 7
-A -t 1500 -s 10.0.0.9 -d 10.0.1.1 -p udp --sport 2003 --dport 123 --orig-zone 7
-A -t 1500 -s 10.0.0.10 -d 10.0.1.1 -p udp --sport 2004 --dport 123 --reply-zone 8
-A -t 1600 -s 10.0.0.11 -d 10.0.1.1 -p udplite --sport 2005 --dport 5004
-A -t 1600 -s 10.0.0.12 -d 10.0.1.1 -p sctp --sport 2006 --dport 3868 --state ESTABLISHED --orig-vtag 11 --reply-vtag 4294967
-A -t 1600 -s 10.0.0.13 -d 10.0.1.1 -p dccp --sport 2007 --dport 5005 --state OPEN --role client
-A -t 1600 -s 10.0.0.14 -d 10.0.1.1 -p gre --srckey 0x10 --dstkey 17
-A -t 1600 -s 10.0.0.15 -d 10.0.1.1 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77
-A -t 1600 -s 10.0.0.16 -d 10.0.1.1 -p 50
-A -t 1600 -s 10.0.0.17 -d 10.0.1.1 -p 253
-A -t 2100 -s 2001:db8::1 -d 2001:db8:1::1 -p tcp --sport 3001 --dport 443 --state ESTABLISHED -u SEEN_REPLY,ASSURED
-A -t 2100 -s 2001:db8::2 -d 2001:db8:1::2 -p udp --sport 3002 --dport 53 -m 3
-A -t 2100 -s 2001:db8::3 -d ::ffff:10.0.0.1 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 9
-A -t 2100 -s 2001:db8::4 -d 2001:db8:1::4 -n 2001:db8:f::f -p udp --sport 3004 --dport 443
-A -t 2100 -s fe80::1 -d ff02::fb -p 89
`;

const changing = /^(-[DUIAFR]|--(del|up|cr|add|fl|load)|.*z)/;

export const conntrackTool: ParityTool = {
  name: 'conntrack',
  seed: [{ args: ['-F'] }, { args: ['-F', 'expect'] }, { args: ['-R', '-'], input: SEED }],
  state: [{ args: ['-L', '-o', 'extended'] }, { args: ['-L', 'expect'] }] satisfies Step[],
  mayChange: ({ args }: ParityCase) => args.some((word) => changing.test(word)),
  normalise,
  cases: allCases,
};

function allCases(): ParityCase[] {
  const shown = differingLines().map((args): ParityCase => ({ args }));
  const seen = new Set<string>();
  return [...writtenCases, ...shown, ...generatedCases()].flatMap((each) => {
    const key = JSON.stringify(each);
    if (seen.has(key)) return [];
    seen.add(key);
    const differs = each.input === undefined ? differenceShown(each.args) : undefined;
    return [differs === undefined ? each : { ...each, differs }];
  });
}

/** A timeout counts down and is rounded up to the hundred that it began with. */
const roundUp = (seconds: string) => String(Math.ceil(Number(seconds) / 100) * 100);

function normalise(text: string, stream: 'stdout' | 'stderr' | 'state'): string {
  if (stream === 'stderr') return text;
  const lines = text
    .replace(
      /^((?:ipv[46] +\d+ )?[a-z]\w* +\d+ )(\d+) /gm,
      (_, head, seconds) => `${head}${roundUp(seconds)} `,
    )
    .replace(/^(-[AUD] -t )(\d+)/gm, (_, head, seconds) => `${head}${roundUp(seconds)}`)
    .replace(/<timeout>(\d+)</g, (_, seconds) => `<timeout>${roundUp(seconds)}<`)
    .replace(/\bid=\d{5,}/g, 'id=N')
    .replace(/<id>\d+</g, '<id>N<')
    .replace(/<(deltatime|start|stop)>\d+</g, '<$1>N<')
    .replace(/\[start=[^\]]*\]/g, '[start=T]')
    .replace(/\bdelta-time=\d+/g, 'delta-time=N')
    .replace(/^cpu=.*$/gm, (row) => row.replace(/=\d+ /g, '=N '))
    .split('\n');
  // the kernel lists in the order of a hash that differs from namespace to namespace
  return lines.sort().join('\n');
}
