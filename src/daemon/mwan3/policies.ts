import { suggestion } from '../config/nearest.ts';
import type { Member } from '../plan.ts';
import type { Mwan3Interfaces } from './interfaces.ts';
import { numberOf, optionOf } from './options.ts';
import type { UciFile, UciSection } from './uci.ts';
import { sectionText, type WarnOfLine, warnOfMisspelt } from './warnings.ts';

/** mwan3 sets no rule or policy with a longer name: the kernel's chains could not be called after it. */
export const LONGEST_NAME = 15;
/** Members of a worse metric are passed over: DEFAULT_LOWEST_METRIC in lib/mwan3/mwan3.sh. */
const WORST_METRIC = 256;

/** By name: the interfaces of each policy. A policy without any leaves flows to its last resort. */
export type Mwan3Policies = ReadonlyMap<string, readonly Member[]>;

/** Reads members and policies. */
export function readPolicies(file: UciFile, interfaces: Mwan3Interfaces, warn: WarnOfLine): Mwan3Policies {
  const members = readMembers(file, interfaces, warn);
  const policies = new Map<string, readonly Member[]>();
  for (const section of file.sections.filter(({ type }) => type === 'policy')) {
    const { name, line } = section;
    const what = sectionText(section);
    warnOfMisspelt(section, ['use_member', 'last_resort'], warn);
    if (name === undefined) warn(line, `${what}: ignored: no rule can name it`);
    else if (name.length > LONGEST_NAME) {
      warn(
        line,
        `${what}: ignored by mwan3: its name has ${name.length} characters, at most ${LONGEST_NAME}`,
      );
    } else policies.set(name, membersOf(section, members, warn));
  }
  return policies;
}

function membersOf(
  section: UciSection,
  members: ReadonlyMap<string, Member | undefined>,
  warn: WarnOfLine,
): Member[] {
  const used: Member[] = [];
  const what = sectionText(section);
  for (const { text, line } of section.options.get('use_member')?.values ?? []) {
    const known = members.has(text);
    const member = members.get(text);
    if (member) used.push(member);
    if (!known) {
      const meant = suggestion(text, [...members.keys()]);
      warn(line, `${what}: there is no member ${JSON.stringify(text)}${meant}`);
    }
  }
  if (used.length === 0)
    warn(section.line, `${what}: has no member that counts: its flows stay where they are`);
  return used;
}

/** By name; undefined for a member that is there and does not count. */
function readMembers(
  { sections }: UciFile,
  interfaces: Mwan3Interfaces,
  warn: WarnOfLine,
): Map<string, Member | undefined> {
  const members = new Map<string, Member | undefined>();
  for (const section of sections.filter(({ type }) => type === 'member')) {
    warnOfMisspelt(section, ['interface', 'metric', 'weight'], warn);
    if (section.name === undefined)
      warn(section.line, `${sectionText(section)}: ignored: no policy can name it`);
    else members.set(section.name, readMember(section, interfaces, warn));
  }
  return members;
}

function readMember(section: UciSection, interfaces: Mwan3Interfaces, warn: WarnOfLine): Member | undefined {
  const what = sectionText(section);
  const target = optionOf(section, 'interface');
  if (target === undefined) {
    warn(section.line, `${what}: ignored: it names no interface`);
    return undefined;
  }
  const index = interfaces.indexOf.get(target.text);
  if (index === undefined) {
    const meant = suggestion(target.text, [...interfaces.indexOf.keys()]);
    warn(target.line, `${what}: ignored: there is no interface ${JSON.stringify(target.text)}${meant}`);
    return undefined;
  }
  if (interfaces.disabled.has(target.text)) {
    warn(target.line, `${what}: interface ${JSON.stringify(target.text)} is not enabled: it is never online`);
  }
  const metric = numberOf(section, 'metric', 1, warn);
  if (metric <= WORST_METRIC) return { interface: index, metric };
  const { line } = optionOf(section, 'metric')!;
  warn(line, `${what}: ignored by mwan3: metric ${metric} is above ${WORST_METRIC}`);
  return undefined;
}
