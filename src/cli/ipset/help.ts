import { icmpNames, icmpv6Names } from '../../ipset/protocolText.ts';
import { commands, options } from './commands.ts';
import { IPSET_VERSION } from './console.ts';
import { typeExamples } from './examples.ts';
import { keywords } from './keywords.ts';
import type { CommandGrammar, TypeGrammar } from './typeGrammar.ts';
import { typeGrammars } from './typeTable.ts';

/** `help`: the commands and options, and the set types. */
export function helpText(scope: 'commands' | 'all'): string {
  const brief =
    `${IPSET_VERSION}\n\nUsage: ipset [options] COMMAND\n\nCommands:\n` +
    commands.map(({ names, help }) => `${names[0]} ${help}\n`).join('') +
    '\nOptions:\n' +
    options.map(({ names, help }) => `${names[0]} ${help}\n`).join('');
  if (scope === 'commands') return brief;
  return `${brief}\nSupported set types:\n${typeGrammars.map(revisionLines).join('')}`;
}

function revisionLines({ name, revisions, firstRevision }: TypeGrammar): string {
  const indent = name.length < 12 ? '\t' : '';
  return revisions
    .map((text, i) => `    ${name}\t${indent}${firstRevision + i}\t${text}\n`)
    .reverse()
    .join('');
}

/** `help TYPE`, behind the commands and options. */
export function typeHelpText(grammar: TypeGrammar): string {
  const { name } = grammar;
  const ports = grammar.parts.includes('protoPort') ? portHelp() : '';
  return (
    `\n${name} type specific options:\n\n` +
    commandHelp('create SETNAME', name, grammar.create) +
    commandHelp('add    SETNAME', name, grammar.add) +
    commandHelp('del    SETNAME', name, grammar.del) +
    commandHelp('test   SETNAME', name, grammar.test) +
    `\n${grammar.where}\n${ports}\n${familyHelp(name)}\n` +
    `\nExamples:\n${typeExamples[name].map((line) => `    ipset ${line}\n`).join('')}`
  );
}

function commandHelp(prefix: string, name: string, grammar: CommandGrammar): string {
  const helps = grammar.keywords.map((each) => keywords[each.name].help).filter(Boolean);
  return `${prefix} ${name} ${grammar.usage}\n${helps.map((help) => `               ${help}\n`).join('')}`;
}

function familyHelp(name: string): string {
  if (name === 'bitmap:port' || name === 'list:set' || name === 'hash:mac') {
    return `Type ${name} is family neutral.`;
  }
  if (name.startsWith('bitmap:')) return `Type ${name} supports family inet only.`;
  return `Type ${name} supports inet and inet6.`;
}

function portHelp(): string {
  const indented = (names: readonly string[]) => names.map((name) => `               ${name}\n`).join('');
  return (
    '      [PROTO:]PORT is a valid pattern of the following:\n' +
    '           PORTNAME         TCP port name from /etc/services\n' +
    '           PORTNUMBER       TCP port number identifier\n' +
    '           tcp|sctp|udp|udplite:PORTNAME|PORTNUMBER\n' +
    '           icmp:CODENAME    supported ICMP codename\n' +
    '           icmp:TYPE/CODE   ICMP type/code value\n' +
    '           icmpv6:CODENAME  supported ICMPv6 codename\n' +
    '           icmpv6:TYPE/CODE ICMPv6 type/code value\n' +
    '           PROTO:0          all other protocols\n\n' +
    `           Supported ICMP codenames:\n${indented(icmpNames)}` +
    `           Supported ICMPv6 codenames:\n${indented(icmpv6Names)}`
  );
}
