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
}

/** @param root the folder that takes the place of / */
export function mwan3Paths(root: string): Mwan3Paths {
  const run = join(root, 'var/run/mwan3');
  return {
    config: join(root, 'etc/config/mwan3'),
    settings: join(root, 'etc/config/resteer'),
    run,
    mask: join(run, 'mmx_mask'),
    states: join(run, 'iface_state'),
  };
}
