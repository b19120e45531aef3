// run: timeout=300
/**
 * The OpenWrt package: installed by its Makefile over stubs of the build system, its shell parts run by
 * busybox ash over stubs of procd and uci, its rpcd plugin against a daemon.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { insideNamespace, sh } from '../support/namespace.ts';
import { until } from '../support/waiting.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const makefileFolder = join(root, 'packaging/openwrt');
const folder = mkdtempSync(join(tmpdir(), 'resteer-openwrt-'));
const installed = join(folder, 'root');
/** In front of PATH: the Node that runs this test; and for the hotplug script, commands that only record. */
const commands = join(folder, 'bin');
const stubs = join(folder, 'stubs');
const control = join(folder, 'resteer.sock');
let daemon: ChildProcess | undefined;
process.on('exit', () => {
  daemon?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** include/package.mk and rules.mk of OpenWrt, as far as the Makefile uses them. */
const buildSystem = `
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
CP:=cp -fpR
LN:=ln -sf
define BuildPackage
$(info $(Package/$(1)))
install:
	$(call Build/Prepare)
	$(call Package/$(1)/install,$(DESTDIR))
endef
`;

function install(): string {
  writeFileSync(join(folder, 'rules.mk'), '');
  writeFileSync(join(folder, 'package.mk'), buildSystem);
  const variables = { TOPDIR: folder, INCLUDE_DIR: folder, PKG_BUILD_DIR: join(folder, 'build') };
  const settings = Object.entries({ ...variables, DESTDIR: installed }).map((pair) => pair.join('='));
  return sh('make', '--silent', '-C', makefileFolder, 'install', ...settings);
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(path, entry.name)]))
    .sort();
}

/** A command for the hotplug script. */
function stub(name: string, body: string): void {
  const path = join(stubs, name);
  writeFileSync(path, `#!/bin/busybox ash\n${body}\n`.replace('/bin/busybox', busybox));
  chmodSync(path, 0o755);
}

const busybox = sh('sh', '-c', 'command -v busybox').trim();
const path = `${commands}:${process.env.PATH}`;

/** /lib/functions.sh as far as the init script uses it, and procd.sh that prints its calls. */
const functions = `
config_load() {
	[ -f "$UCI/$1" ] || return 1
	number=0
	while IFS= read -r line; do
		eval "set -- $line"
		case "$1" in
			config) number=$((number + 1)); id="\${3:-cfg$number}"; sections="$sections $2:$id" ;;
			option) eval "option_\${id}_$2=\\$3" ;;
		esac
	done <"$UCI/$1"
}
config_foreach() {
	for section in $sections; do
		case "$section" in "$2":*) "$1" "\${section#*:}" ;; esac
	done
}
config_get_bool() {
	local value
	eval "value=\\\${option_$2_$3-$4}"
	case "$value" in 1 | on | true | yes | enabled) value=1 ;; 0 | off | false | no | disabled) value=0 ;; *) value="$4" ;; esac
	eval "$1=$value"
}
procd_open_instance() { echo open; }
procd_close_instance() { echo close; }
procd_set_param() { echo "param $*"; }
procd_add_reload_trigger() { echo "reload trigger $*"; }
`;

/** What the init script asks of procd, given the text of /etc/config/resteer (or none). */
function startService(config: string | undefined): string[] {
  const uci = mkdtempSync(join(folder, 'uci-'));
  if (config !== undefined) writeFileSync(join(uci, 'resteer'), config);
  writeFileSync(join(folder, 'functions.sh'), functions);
  const program = '. "$1"; . "$2"; start_service && service_triggers && echo "$USE_PROCD $START $STOP"';
  const script = join(installed, 'etc/init.d/resteer');
  const done = spawnSync(busybox, ['ash', '-c', program, 'ash', join(folder, 'functions.sh'), script], {
    encoding: 'utf8',
    env: { PATH: path, UCI: uci },
  });
  assert.equal([done.status, done.stderr], [0, '']);
  return done.stdout.trimEnd().split('\n');
}

const ending = ['reload trigger resteer mwan3', '1 95 5'];
const service = [
  'open',
  'param command /usr/bin/node --max-semi-space-size=2 --max-old-space-size=48 /usr/lib/resteer/resteer.cjs run --mwan3',
  'param file /etc/config/resteer /etc/config/mwan3',
  'param reload_signal HUP',
  'param respawn 600 10 10',
  'param term_timeout 10',
  'param stdout 1',
  'param stderr 1',
  'close',
  ...ending,
];

interface Hotplug {
  readonly ACTION?: string;
  readonly INTERFACE?: string;
  readonly FIRSTCONNECT?: string;
  readonly MWAN3_SHUTDOWN?: string;
}

/** Runs the hotplug script to its end, and what it left in the background too: that holds descriptor 3. */
function hotplug(variables: Hotplug, { held = false } = {}): string[] {
  const sent = join(folder, 'sent');
  rmSync(sent, { force: true });
  const given = Object.entries(variables).filter(([, value]) => value !== undefined);
  const done = spawnSync(busybox, ['ash', join(folder, '20-resteer')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', ...(held ? [] : ['pipe' as const])],
    env: { PATH: `${stubs}:${process.env.PATH}`, SENT: sent, ...Object.fromEntries(given) },
    timeout: 30_000,
  });
  assert.equal([done.status, done.stdout, done.stderr], [0, '', ''], JSON.stringify(variables));
  return existsSync(sent) ? readFileSync(sent, 'utf8').trimEnd().split('\n') : [];
}

function rpcd(args: readonly string[], input = ''): { ok?: boolean; result?: unknown; error?: string } {
  const done = spawnSync(busybox, ['ash', join(installed, 'usr/libexec/rpcd/resteer'), ...args], {
    encoding: 'utf8',
    input,
    env: { PATH: path, RESTEER_CONTROL: control },
  });
  assert.equal([done.status, done.stderr], [0, '']);
  return JSON.parse(done.stdout);
}

await insideNamespace(import.meta.url, async () => {
  mkdirSync(commands);
  mkdirSync(stubs);
  symlinkSync(process.execPath, join(commands, 'node'));
  stub('uci', '[ "$*" = "-q get mwan3.wan" ] && echo interface || exit 1');
  stub('node', 'printf "%s\\n" "$*" >>"$SENT"');
  const definition = install();

  test('the Makefile installs these files with these modes', () => {
    const files = filesBelow(installed).filter((file) => file !== join(installed, 'usr/bin/resteer'));
    const modes = files.map(
      (file) => `${(statSync(file).mode & 0o777).toString(8)} ${relative(installed, file)}`,
    );
    assert.equal(modes, [
      '600 etc/config/resteer',
      '644 etc/hotplug.d/iface/20-resteer',
      '755 etc/init.d/resteer',
      '644 etc/sysctl.d/12-resteer.conf',
      '644 lib/upgrade/keep.d/resteer',
      '644 usr/lib/resteer/ask.cjs',
      '755 usr/lib/resteer/resteer.cjs',
      '755 usr/libexec/rpcd/resteer',
      '644 usr/share/rpcd/acl.d/resteer.json',
    ]);
    assert.is(readlinkSync(join(installed, 'usr/bin/resteer')), '../lib/resteer/resteer.cjs');
    assert.match(definition, 'PKGARCH:=all');
    assert.match(definition, 'DEPENDS:=+node +kmod-nf-conntrack-netlink +kmod-ipt-ipset');
    assert.match(sh(process.execPath, join(installed, 'usr/bin/resteer'), '--version'), /^\d+\.\d+\.\d+\n$/);
  });

  test('shellcheck finds nothing', () => {
    const scripts = ['etc/init.d/resteer', 'etc/hotplug.d/iface/20-resteer', 'usr/libexec/rpcd/resteer'];
    const ours = [
      'test/support/mwan3.sh',
      'test/support/mwan3Marks.sh',
      'test/kernels/guest.sh',
      'test/kernels/init.sh',
    ];
    const files = [...scripts.map((name) => join(installed, name)), ...ours.map((name) => join(root, name))];
    assert.is(sh('shellcheck', '--norc', ...files), '');
  });

  for (const [name, config] of Object.entries({
    'as installed': readFileSync(join(makefileFolder, 'files/etc/config/resteer'), 'utf8'),
    'without a configuration': undefined,
    'with an empty one': '',
    'with a section that says nothing of it': "config resteer 'main'\n\toption dry_run '1'\n",
    'turned on by a later section':
      "config resteer\n\toption enabled '0'\nconfig resteer\n\toption enabled '1'\n",
    'with another type turned off': "config other 'main'\n\toption enabled '0'\n",
  })) {
    test(`init: ${name} the service starts`, () => assert.equal(startService(config), service));
  }

  for (const [name, config] of Object.entries({
    named: "config resteer 'main'\n\toption enabled '0'\n",
    anonymous: 'config resteer\n\toption enabled 0\n',
  })) {
    test(`init: turned off in a section that is ${name}, no instance is left`, () => {
      assert.equal(startService(config), ending);
    });
  }

  test('init: the program knows the command, and looks for the configuration of mwan3', () => {
    const [, command] = service[1]!.split('/usr/bin/node ');
    const args = command!.replace('/usr/lib', join(installed, 'usr/lib')).split(' ');
    const done = spawnSync(process.execPath, [...args, '--root', folder, '--control', control], {
      encoding: 'utf8',
    });
    assert.is(done.status, 2);
    assert.match(done.stderr, `${folder}/etc/config/mwan3`);
  });

  const message = '/usr/lib/resteer/ask.cjs sweep';
  const switched = [undefined, '0', '1'];
  const actions = [undefined, 'ifup', 'ifdown', 'connected', 'disconnected', 'ifupdate', 'ifup-failed'];
  const script = readFileSync(join(installed, 'etc/hotplug.d/iface/20-resteer'), 'utf8');
  // the tests have a socket of their own
  writeFileSync(join(folder, '20-resteer'), script.replace('/var/run/resteer.sock', control));

  test('hotplug: without a daemon nothing is sent', () => {
    assert.match(script, '/var/run/resteer.sock');
    assert.equal(hotplug({ ACTION: 'ifup', INTERFACE: 'wan' }), []);
  });

  test('hotplug: the daemon is asked once for a state of a WAN, and for nothing else', async () => {
    const server = createServer().listen(control);
    await new Promise((resolve) => server.once('listening', resolve));
    for (const ACTION of actions) {
      for (const INTERFACE of [undefined, '', 'wan', 'lan']) {
        for (const FIRSTCONNECT of switched) {
          for (const MWAN3_SHUTDOWN of switched) {
            const isState = ['ifup', 'ifdown', 'connected', 'disconnected'].includes(ACTION ?? '');
            const isMeant = FIRSTCONNECT !== '1' && MWAN3_SHUTDOWN !== '1';
            const variables = { ACTION, INTERFACE, FIRSTCONNECT, MWAN3_SHUTDOWN };
            const given = Object.entries(variables).filter(([, value]) => value !== undefined);
            const expected = isState && isMeant && INTERFACE === 'wan' ? [message] : [];
            assert.equal(hotplug(Object.fromEntries(given)), expected, JSON.stringify(variables));
          }
        }
      }
    }
    await new Promise((resolve) => server.close(resolve));
  });

  test('hotplug: a daemon that does not answer holds nobody up', async () => {
    const server = createServer().listen(control);
    await new Promise((resolve) => server.once('listening', resolve));
    const gate = join(folder, 'gate');
    sh('mkfifo', gate);
    stub('node', `read -r _ <"${gate}"; printf "%s\\n" "$*" >>"$SENT"`);
    assert.equal(hotplug({ ACTION: 'ifup', INTERFACE: 'wan' }, { held: true }), []);
    writeFileSync(gate, 'go\n');
    await until('the message', () => existsSync(join(folder, 'sent')));
    await new Promise((resolve) => server.close(resolve));
  });

  test('rpcd: methods are listed without Node, and each is granted', () => {
    const methods = rpcd(['list']) as Record<string, unknown>;
    const acl = JSON.parse(
      readFileSync(join(installed, 'usr/share/rpcd/acl.d/resteer.json'), 'utf8'),
    ).resteer;
    const granted = [...acl.read.ubus.resteer, ...acl.write.ubus.resteer];
    assert.equal(granted.sort(), Object.keys(methods).sort());
    assert.equal(acl.read.ubus.resteer.sort(), ['explain', 'status'], 'what changes nothing');
  });

  test('rpcd: without a daemon the answer says so', () => {
    const answer = rpcd(['call', 'status'], '{}');
    assert.equal(answer, { ok: false, error: 'resteer is not running: /etc/init.d/resteer start' });
  });

  test('a signal while the daemon starts is a reload, not its end', async () => {
    const config = join(folder, 'resteer.json');
    const rules = [{ name: 'app', set: 'app', interfaces: ['wan'] }];
    const interfaces = { wan: { mark: '0x100' }, wanb: { mark: '0x200' } };
    writeFileSync(config, JSON.stringify({ markMask: '0x3f00', interfaces, rules }));
    const options = ['--config', config, '--control', control, '--log-format', 'json'];
    const executable = join(installed, 'usr/lib/resteer/resteer.cjs');
    const child = spawn(process.execPath, [executable, 'run', ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    daemon = child;
    let log = '';
    child.stdout.on('data', (text) => {
      log += text;
    });
    await until('its socket', () => existsSync(control));
    child.kill('SIGHUP');
    await until('ready', () => log.includes('"event":"ready"') || child.signalCode !== null);
    await until('reload', () => log.includes('"event":"reload"') || child.signalCode !== null);
    assert.is(child.signalCode, null);
  });

  test('rpcd: every method is answered by the daemon', () => {
    const state = () => (rpcd(['call', 'status']).result as { state: string }).state;
    assert.is(state(), 'running');
    assert.equal(rpcd(['call', 'pause'], '{}'), { ok: true });
    assert.is(state(), 'paused');
    assert.equal(rpcd(['call', 'resume'], '{}\n'), { ok: true });
    assert.is(state(), 'running');
    assert.is((rpcd(['call', 'sweep'], '{}').result as { flows: number }).flows, 0);
    assert.equal(rpcd(['call', 'reload'], '{}'), { ok: true, result: { ok: true } });
    // rpcd adds the session to the parameters
    const input = JSON.stringify({ destination: '203.0.113.10', protocol: 'tcp', ubus_rpc_session: '0' });
    const explained = rpcd(['call', 'explain'], input);
    assert.is(explained.ok, true, explained.error);
    assert.match(JSON.stringify(explained.result), '203.0.113.10');
  });

  test('rpcd: what is wrong is an answer', () => {
    for (const [args, input, error] of [
      [['call', 'explain'], '{}', /^destination: is missing$/],
      [['call', 'explain'], '{"destination": "x"}', /^destination: "x" is not an address/],
      [['call', 'flush'], '{}', /^"flush" is none of status, explain, /],
      [['call', 'constructor'], '{}', /^"constructor" is none of /],
      [['call'], '{}', /^"" is none of /],
      [['call', 'status'], '[]', /no JSON object/],
      [['call', 'status'], '{', /JSON/],
    ] as const) {
      const answer = rpcd(args, input);
      assert.is(answer.ok, false, args.join(' '));
      assert.match(answer.error!, error);
    }
  });

  test('rpcd: neither list nor call is wrong usage', () => {
    const { status } = spawnSync(busybox, ['ash', join(installed, 'usr/libexec/rpcd/resteer'), 'x']);
    assert.is(status, 1);
  });

  test.after(() => {
    daemon?.kill();
  });

  test.run();
});
