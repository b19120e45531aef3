import { join } from 'node:path';

/** The files of mwan3 mode. */
export interface Mwan3Paths {
  /** mwan3's configuration. */
  readonly config: string;
  /** Ours: what mwan3's does not say. */
  readonly settings: string;
  /** The folder that is there while mwan3 runs. */
  readonly run: string;
  /** The mask that it runs with. */
  readonly mask: string;
  /** The folder with one file an interface: 'online' or 'offline'. */
  readonly states: string;
  /** The folder into which it writes down, from 22.03 on, each part of its rules before it sets it. */
  readonly log: string;
  /** What it writes there last when it starts. */
  readonly lastLog: string;
}

/** @param root the folder that takes the place of / */
export function mwan3Paths(root: string): Mwan3Paths {
  const run = join(root, 'var/run/mwan3');
  const log = join(run, 'iptables_log');
  return {
    config: join(root, 'etc/config/mwan3'),
    settings: join(root, 'etc/config/resteer'),
    run,
    mask: join(run, 'mmx_mask'),
    states: join(run, 'iface_state'),
    log,
    lastLog: join(log, 'iptables-set_user_rules-ipv4.dump'),
  };
}
