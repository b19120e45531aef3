/** Rounds of command lines that are made from lists of parts. */
import {
  addresses6,
  allTypes,
  createOptions,
  elements,
  extensions,
  firstElement,
  hash,
  oldNames,
  rareElements,
  rareTypes,
  types4,
} from './parts.ts';
import { type Round, step } from './rounds.ts';

const members = 'create a hash:ip\ncreate b hash:ip\n';

function created(): Round[] {
  return allTypes.flatMap((type) =>
    createOptions.map((options) => ({ steps: [step(`create s ${type} ${options}`), step('list -t s')] })),
  );
}

/** By the names that the types had before ipset 5. */
function createdByOldNames(): Round[] {
  return oldNames.flatMap((name) =>
    ['', 'from 10.0.0.0 to 10.0.0.9'].map((options) => ({
      steps: [step(`create s ${name} ${options}`), step('list -t')],
    })),
  );
}

/** An element added, added again, tested, deleted, deleted again. */
function life(element: string) {
  return [
    { args: ['add', 's', element] },
    { args: ['add', 's', element] },
    { args: ['test', 's', element] },
    { args: ['-exist', 'add', 's', element] },
    { args: ['list', 's'] },
    { args: ['del', 's', element] },
    { args: ['del', 's', element] },
    { args: ['test', 's', element] },
  ];
}

function elementRounds(): Round[] {
  const usual = Object.entries(elements).flatMap(([type, list]) => {
    const seed = `${members}create list list:set\ncreate s ${types4[type]}\n`;
    return list.map((element) => ({ seed, steps: life(element) }));
  });
  const rare = Object.entries(rareElements).flatMap(([type, list]) =>
    list.map((element) => ({ steps: [step(`create s ${rareTypes[type]}`), ...life(element)] })),
  );
  return [...usual, ...rare];
}

const forms6: Readonly<Record<string, (address: string) => string>> = {
  'hash:ip': (address) => address,
  'hash:net': (address) => address,
  'hash:ip,port': (address) => `${address},icmpv6:ping`,
  'hash:net,port': (address) => `${address},udp:53`,
  'hash:ip,port,ip': (address) => `2001:db8::1,80,${address}`,
  'hash:ip,port,net': (address) => `2001:db8::1,80,${address}`,
  'hash:net,iface': (address) => `${address},eth0`,
  'hash:ip,mac': (address) => `${address},02:00:00:00:00:01`,
  'hash:ip,mark': (address) => `${address},7`,
  'hash:net,net': (address) => `${address},2001:db8::/32`,
  'hash:net,port,net': (address) => `2001:db8::/32,80,${address}`,
};

function elementRounds6(): Round[] {
  return Object.entries(forms6).flatMap(([type, form]) => {
    const create = `create s ${types4[type] ?? rareTypes[type]} family inet6`;
    return addresses6.map((address) => ({
      steps: [
        step(create),
        { args: ['add', 's', form(address)] },
        { args: ['test', 's', form(address)] },
        { args: ['list', 's', '-o', 'save'] },
        { args: ['del', 's', form(address)] },
      ],
    }));
  });
}

function extensionRounds(): Round[] {
  return Object.entries({ ...types4, ...rareTypes }).flatMap(([type, create]) =>
    ['', ' timeout 500 counters comment skbinfo'].flatMap((having) =>
      extensions.map((extension) => {
        const element = `${firstElement[type]} ${extension}`;
        const steps = [
          step(`add s ${element}`),
          step('list s'),
          step(`test s ${element}`),
          step(`del s ${element}`),
          step(`-! del s ${firstElement[type]}`),
        ];
        const set = `create s ${create}${having}`;
        if (type in rareTypes) return { steps: [step(set), ...steps] };
        return { seed: `${members}${set}\n${type === 'list:set' ? 'add s a\n' : ''}`, steps };
      }),
    ),
  );
}

/** What only a listing of many shows: the order of `-sorted`, and names. */
function sortedRounds(): Round[] {
  const values: Readonly<Record<string, readonly string[]>> = {
    'hash:ip': ['10.0.0.10', '10.0.0.9', '9.0.0.1', '192.168.0.1', '10.0.0.100', '127.0.0.1'],
    'hash:net': ['10.0.0.0/8', '10.0.0.0/24', '10.0.0.0/16', '9.0.0.0/8', '10.0.0.128/25', '10.0.0.1'],
    'hash:ip,port': [
      '10.0.0.1,tcp:80',
      '10.0.0.1,udp:80',
      '10.0.0.1,tcp:9',
      '10.0.0.1,icmp:ping',
      '9.0.0.1,80',
    ],
    'hash:net,iface': ['10.0.0.0/24,eth0', '10.0.0.0/24,physdev:eth0', '10.0.0.0/24,eth10', '10.0.0.0/24,br'],
  };
  return Object.entries(values).flatMap(([type, list]) => {
    const adds = list.map((element, i) => `add s ${element} comment "${'c'.repeat(i + 1)}"\n`).join('');
    const seed = `create s ${type} comment ${hash}\n${adds}`;
    return ['list -s s', 'save -s', 'list -s -o xml', 'list -r s', 'list -r -s s'].map((line) => ({
      seed,
      steps: [step(line)],
    }));
  });
}

/** Everything; the same in every run. */
export function generatedRounds(): Round[] {
  return [
    ...createdByOldNames(),
    ...created(),
    ...elementRounds(),
    ...elementRounds6(),
    ...extensionRounds(),
    ...sortedRounds(),
  ];
}
