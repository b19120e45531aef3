// Compiled, never run: a line that compiles where it must not is an unused @ts-expect-error.
import type {
  CreateOptions,
  Element,
  findSetType,
  IpsetClient,
  IpsetError,
  openIpset,
  SetHeader,
  SetListing,
  SetType,
} from '../../src/ipset/index.ts';
import type { KernelError } from '../../src/nfnetlink/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const hold = <T extends true>(..._held: T[]): void => {};

hold<Equal<Awaited<ReturnType<typeof openIpset>>, IpsetClient>>();
declare const client: IpsetClient;

// Whether an element is in a set is a value; so is what a set is.
hold<Equal<Awaited<ReturnType<typeof client.test>>, boolean>>();
hold<Equal<Awaited<ReturnType<typeof client.header>>, SetHeader>>();
hold<Equal<Awaited<ReturnType<typeof client.names>>, string[]>>();
hold<Equal<ReturnType<typeof findSetType>, SetType | undefined>>();
hold<Equal<SetHeader['family'], 'ipv4' | 'ipv6' | undefined>>();
for await (const listing of client.list('app')) hold<Equal<typeof listing, SetListing>>();
for await (const element of client.elements('app')) hold<Equal<typeof element, Element>>();

// Sets are made of types that there are, with options that there are.
client.create('app', 'hash:ip,port', { family: 'ipv6', timeout: 0, counters: true });
// @ts-expect-error no such type
client.create('app', 'hash:port');
// @ts-expect-error no such family
client.create('app', 'hash:ip', { family: 'inet' });
// @ts-expect-error no such option
client.create('app', 'hash:ip', { time: 5 });
// @ts-expect-error absent is a key that is not there
void ({ timeout: undefined } satisfies CreateOptions);

// Elements have fields; counters are 64 bits.
client.add('app', { ip: '203.0.113.10', port: 443, protocol: 6, packets: 0n });
// @ts-expect-error counters are bigint
client.add('app', { ip: '203.0.113.10', packets: 0 });
// @ts-expect-error the type of the set decides over fields that exist
client.add('app', { address: '203.0.113.10' });
// @ts-expect-error an element is no text
client.test('app', '203.0.113.10');
declare const element: Element;
// @ts-expect-error an element that was read does not change
element.ip = '203.0.113.11';

// A refusal of ipset is one of the kernel.
declare const error: IpsetError;
const refusal: KernelError = error;
hold<Equal<typeof error.errno, number>>();
void refusal;
