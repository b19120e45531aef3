import { NF_CT_EXPECT } from '../../ctnetlink/constants.ts';
import type { Expectation } from '../../ctnetlink/expectation.ts';
import type { Tuple } from '../../ctnetlink/tuple.ts';
import { addressesXml, element, layer3, layer4, portsXml, whenXml } from './flowXml.ts';
import { fieldText, tupleFields } from './tupleFields.ts';

/** What happened to an expectation. */
export type ExpectationEventKind = 'new' | 'destroy';

const eventWords: Readonly<Record<ExpectationEventKind, string>> = {
  new: '    [NEW] ',
  destroy: '[DESTROY] ',
};

const flagNames: readonly (readonly [bit: number, name: string])[] = [
  [NF_CT_EXPECT.PERMANENT, 'PERMANENT'],
  [NF_CT_EXPECT.INACTIVE, 'INACTIVE'],
  [NF_CT_EXPECT.USERSPACE, 'USERSPACE'],
];

/** An expectation in a line, as conntrack(8) prints it. */
export function expectationText(expectation: Expectation, event: ExpectationEventKind | undefined): string {
  const { timeout, tuple = {}, mask = {}, masterTuple = {}, zone, flags = 0, helperName } = expectation;
  const names = flagNames.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  const parts = [
    ...(timeout === undefined ? [] : [timeout]),
    `proto=${tuple.protocol ?? 0}`,
    ...tupleWords(tuple, ''),
    ...tupleWords({ ...mask, protocol: mask.protocol ?? 0 }, 'mask-'),
    ...tupleWords(masterTuple, 'master-'),
    ...(zone === undefined ? [] : [`zone=${zone}`]),
    ...(flags === 0 ? [] : [names.join(',')]),
    ...(expectation.class === undefined ? [] : [`class=${expectation.class}`]),
    ...(helperName === undefined ? [] : [`helper=${helperName}`]),
  ];
  return (event === undefined ? '' : eventWords[event]) + parts.join(' ');
}

function tupleWords(tuple: Tuple, prefix: string): string[] {
  const words: string[] = [];
  if (tuple.source !== undefined || tuple.destination !== undefined) {
    words.push(`${prefix}src=${tuple.source ?? ''}`, `${prefix}dst=${tuple.destination ?? ''}`);
  }
  const fields = tupleFields(tuple.protocol ?? 0);
  return [...words, ...fields.map((field) => `${field.name}=${fieldText(field, tuple)}`)];
}

/** An expectation in one line of XML, as conntrack(8) prints it. */
export function expectationXml(
  expectation: Expectation,
  event: ExpectationEventKind | undefined,
  withTime: boolean,
): string {
  const { tuple = {}, mask = {}, masterTuple = {}, family } = expectation;
  const three = (write: (tuple: Tuple) => string) =>
    `<expected>${write(tuple)}</expected><mask>${write(mask)}</mask><master>${write(masterTuple)}</master>`;
  return (
    `<flow${event === undefined ? '' : ` type="${event}"`}>` +
    `${layer3(family)}${three(addressesXml)}</layer3>` +
    `${layer4(tuple.protocol ?? 0)}${three(portsXml)}</layer4>${metaXml(expectation, withTime)}</flow>`
  );
}

function metaXml(expectation: Expectation, withTime: boolean): string {
  const { helperName, timeout, zone, flags = 0 } = expectation;
  const parts = [
    ...(helperName === undefined ? [] : [element('helper-name', helperName)]),
    ...(timeout === undefined ? [] : [element('timeout', timeout)]),
    ...(expectation.class === undefined ? [] : [element('class', expectation.class)]),
    ...(zone === undefined ? [] : [element('zone', zone)]),
    ...(withTime ? [whenXml(new Date())] : []),
    ...flagNames.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => `<${name.toLowerCase()}/>`),
  ];
  return `<meta>${parts.join('')}</meta>`;
}
