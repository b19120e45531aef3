import { markText } from '../config/marks.ts';
import type { Family, PlanInterface } from '../plan.ts';
import { markOfId, specialIds } from './marks.ts';
import { optionOf } from './options.ts';
import type { UciFile, UciSection } from './uci.ts';
import { sectionText, type WarnOfLine } from './warnings.ts';

/** mwan3's interfaces, and what a member must know of the one that it names. */
export interface Mwan3Interfaces {
  readonly list: readonly PlanInterface[];
  /** By name: the index in `list`. */
  readonly indexOf: ReadonlyMap<string, number>;
  readonly disabled: ReadonlySet<string>;
}

/**
 * Reads the interfaces. Every section counts for the ids, in the order of the file: also one that is disabled
 * or has no name. Source: mwan3_get_iface_id() in lib/mwan3/common.sh.
 * @param stateFile the file that holds an interface's state
 */
export function readInterfaces(
  { sections }: UciFile,
  mask: number,
  stateFile: (name: string) => string,
  warn: WarnOfLine,
): Mwan3Interfaces {
  const list: PlanInterface[] = [];
  const indexOf = new Map<string, number>();
  const disabled = new Set<string>();
  const { blackhole } = specialIds(mask);
  let id = 0;
  for (const section of sections.filter(({ type }) => type === 'interface')) {
    id++;
    const { name, line } = section;
    const what = sectionText(section);
    if (name === undefined) {
      warn(line, `${what}: ignored, though it takes id ${id}`);
      continue;
    }
    if (!isEnabled(section, warn)) disabled.add(name);
    else if (optionOf(section, 'track_ip') === undefined) {
      warn(
        line,
        `${what}: has no track_ip: it counts as online while it is up, whether it leads anywhere or not`,
      );
    }
    if (id >= blackhole) {
      warn(line, `${what}: ignored: mask ${markText(mask)} has room for ${blackhole - 1} interfaces`);
      continue;
    }
    indexOf.set(name, list.length);
    list.push({
      name,
      id,
      mark: markOfId(id, mask),
      family: familyOf(section, warn),
      stateFile: stateFile(name),
    });
  }
  return { list, indexOf, disabled };
}

/** As config_get_bool() in OpenWrt's lib/functions.sh, without a default. */
function isEnabled(section: UciSection, warn: WarnOfLine): boolean {
  const value = optionOf(section, 'enabled');
  if (value === undefined || /^(?:0|off|false|no|disabled)$/.test(value.text)) return false;
  if (/^(?:1|on|true|yes|enabled)$/.test(value.text)) return true;
  warn(
    value.line,
    `${sectionText(section)}: enabled ${JSON.stringify(value.text)} is neither 0 nor 1: taken as 0`,
  );
  return false;
}

function familyOf(section: UciSection, warn: WarnOfLine): Family {
  const family = optionOf(section, 'family');
  if (family === undefined || family.text === 'ipv4') return 'ipv4';
  if (family.text === 'ipv6') return 'ipv6';
  warn(
    family.line,
    `${sectionText(section)}: family ${JSON.stringify(family.text)} is neither ipv4 nor ipv6: taken as ipv4`,
  );
  return 'ipv4';
}
