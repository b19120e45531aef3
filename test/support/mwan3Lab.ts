/** A laboratory with three uplinks whose marks, policies and run-time files a script keeps as mwan3 does. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RouterDaemon } from '../../src/cli/demo/routerDaemon.ts';
import { buildLab, type Lab } from '../../src/lab/index.ts';
import { startDaemon } from './daemonLab.ts';
import { hasCommand } from './namespace.ts';

/** A router's own shell, where there is one. */
const shell = hasCommand('busybox') ? ['busybox', 'ash'] : ['sh'];
const script = fileURLToPath(new URL('mwan3.sh', import.meta.url));

/** What happens to one of mwan3's interfaces. */
export type Happening = 'connected' | 'disconnected' | 'ifup' | 'ifdown';

export class Mwan3Lab {
  readonly lab: Lab;
  readonly root: string;

  private constructor(lab: Lab, root: string) {
    this.lab = lab;
    this.root = root;
  }

  /** Builds it, with mwan3 running. The files are those of /etc/config by name. */
  static async open(
    files: Readonly<Record<'mwan3' | 'resteer', string>>,
    sets: readonly string[],
  ): Promise<Mwan3Lab> {
    const lab = await buildLab({
      wans: 3,
      sets: sets.map((name) => ({ name, type: 'hash:ip', family: 'ipv4', timeout: 0 })),
      rules: [],
      serverPorts: [443, 8443],
      portForwards: [{ protocol: 'tcp', port: 8080, client: 2 }],
    });
    const root = mkdtempSync(join(tmpdir(), 'resteer-mwan3-'));
    const network = lab.plan.wans.map(
      ({ name, ispAddress }) =>
        `config device '${name}'\n\toption device '${name}'\n\toption gateway '${ispAddress.ipv4}'\n`,
    );
    mkdirSync(join(root, 'etc/config'), { recursive: true });
    for (const [name, text] of Object.entries({ ...files, network: network.join('\n') }))
      writeFileSync(join(root, 'etc/config', name), text);
    const opened = new Mwan3Lab(lab, root);
    try {
      await opened.mwan3('take-over');
      await opened.mwan3('start');
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  /** One of the script's commands; each step of a start takes so many seconds, as on a slow router. */
  async mwan3(command: string, interfaceName = '', pause = 0): Promise<void> {
    const args = [`PAUSE=${pause}`, ...shell, script, this.root, command, interfaceName];
    const child = this.lab.router.spawn('env', args, { stdio: ['ignore', 'inherit', 'pipe'] });
    const said: string[] = [];
    child.stderr!.setEncoding('utf8').on('data', (text) => said.push(text));
    const [status] = await once(child, 'close');
    if (status !== 0) throw new Error(`mwan3.sh ${command} ${interfaceName}: ${status}: ${said.join('')}`);
  }

  /** The provider forwards nothing any more, as its interface stays up; mwan3's tracking notices. */
  async lose(wan: number, happening: Happening = 'disconnected'): Promise<void> {
    await this.lab.setSysctl(this.lab.isp(wan), 'net.ipv4.ip_forward', 0);
    await this.mwan3(happening, this.lab.plan.wans[wan - 1]!.name);
  }

  async regain(wan: number, happening: Happening = 'connected'): Promise<void> {
    await this.lab.setSysctl(this.lab.isp(wan), 'net.ipv4.ip_forward', 1);
    await this.mwan3(happening, this.lab.plan.wans[wan - 1]!.name);
  }

  /** `resteer run --mwan3`, ready. */
  startDaemon(): Promise<RouterDaemon> {
    return startDaemon(this.lab, { source: ['--mwan3', '--root', this.root] });
  }

  async close(): Promise<void> {
    await this.lab.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}
