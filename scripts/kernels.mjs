/**
 * Runs some of the integration tests on kernels that this machine does not have, each of a Debian release, in an
 * emulated machine without a disk: the host's root is mounted for reading, with memory over it for writing.
 *
 *     npm run kernels                    every kernel, the tests that depend on it
 *     npm run kernels -- 6.1 ipset       that kernel, the test files whose name holds `ipset`
 *
 * Needs a Debian system for x86-64, root, and a mirror that has the releases. An emulated processor is about forty
 * times slower than this one.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { requirePackages, root } from './packages.mjs';
import { installTools, kernelTools } from './tools.mjs';

/** Kernels by version: the release that has it. */
const releases = { '5.10': 'bullseye', 6.1: 'bookworm', 6.12: 'trixie' };

/** The test files that a kernel can make fail, or pass. */
const tests = ['ctnetlink-filters', 'ctnetlink-flows', 'ipset-types', 'mwan3-lab'];

const cache = join(root, '.cache/kernels');
const executable = join(root, 'dist/resteer.cjs');
const SLOWNESS = 8;
const LIMIT_SECONDS = 900;

function must(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (done.error) throw done.error;
  if (done.status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${done.stderr || `exit ${done.status}`}`);
  return done.stdout;
}

/** The folder that holds a release's kernel, unpacked; downloaded where it is not there yet. */
function kernelOf(version) {
  const release = releases[version];
  const folder = join(cache, version);
  if (existsSync(join(folder, 'complete'))) return folder;
  rmSync(folder, { recursive: true, force: true });
  const state = join(folder, 'apt');
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(state, name), { recursive: true });
  const [mirror] = must('apt-get', ['indextargets', '--format', '$(REPO_URI)']).split('\n');
  writeFileSync(join(state, 'sources.list'), `deb ${mirror} ${release} main\n`);
  const own = [
    ...['-o', `Dir::State=${state}`, '-o', `Dir::State::lists=${state}/lists`, '-o', `Dir::Cache=${state}`],
    ...['-o', `Dir::Etc::SourceList=${state}/sources.list`, '-o', 'Dir::Etc::SourceParts=-'],
    ...['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Check-Valid-Until=false'],
  ];
  must('apt-get', [...own, 'update']);
  const depends = must('apt-cache', [...own, 'depends', '--important', 'linux-image-amd64']);
  const name = /Depends: (linux-image-\S+)/.exec(depends)[1];
  console.log(`downloading ${name} of ${release}`);
  must('apt-get', [...own, 'download', name], { cwd: state });
  const archive = readdirSync(state).find((file) => file.endsWith('.deb'));
  must('dpkg', ['-x', join(state, archive), folder]);
  rmSync(state, { recursive: true });
  const modules = modulesOf(folder);
  const packed = must('find', [modules, '-name', '*.ko.xz']).split('\n').filter(Boolean);
  if (packed.length > 0) must('xz', ['--decompress', ...packed]);
  must('busybox', ['depmod', '-b', join(modules, '../../..'), basename(modules)]);
  writeFileSync(join(folder, 'complete'), '');
  return folder;
}

/** Newer releases keep their modules below usr. */
function modulesOf(folder) {
  for (const below of ['lib/modules', 'usr/lib/modules']) {
    const modules = join(folder, below);
    if (existsSync(modules)) return join(modules, readdirSync(modules)[0]);
  }
  throw new Error(`${folder}: no modules`);
}

/** The first file system: busybox, and what it takes to mount the host's root. */
function writeInitramfs(folder) {
  const modules = modulesOf(folder);
  const base = join(folder, 'initramfs');
  rmSync(base, { recursive: true, force: true });
  for (const name of ['bin', 'modules', 'proc', 'sys', 'dev', 'host', 'memory', 'new'])
    mkdirSync(join(base, name), { recursive: true });
  cpSync(must('sh', ['-c', 'command -v busybox']).trim(), join(base, 'bin/busybox'));
  cpSync(join(root, 'test/kernels/init.sh'), join(base, 'init'));
  chmodSync(join(base, 'init'), 0o755);
  const dependencies = readFileSync(join(modules, 'modules.dep'), 'utf8').split('\n');
  const order = [];
  for (const wanted of ['virtio_pci', '9pnet_virtio', '9p', 'overlay']) {
    const line = dependencies.find((each) => each.split(':')[0].endsWith(`/${wanted}.ko`));
    // built in where there is none; a module's dependencies stand behind it, the nearest first
    for (const file of (line ?? '').replace(':', '').split(' ').filter(Boolean).reverse()) {
      if (order.includes(basename(file))) continue;
      order.push(basename(file));
      cpSync(join(modules, file), join(base, 'modules', basename(file)));
    }
  }
  writeFileSync(join(base, 'modules/order'), `${order.join('\n')}\n`);
  const packed = join(folder, 'initramfs.gz');
  must('sh', ['-c', `cd "$1" && find . | cpio -o -H newc --quiet | gzip -1 >"$2"`, 'sh', base, packed]);
  return packed;
}

/** Bundled here: a compiler inside would take minutes. Beside each stands what it looks for beside its source. */
async function bundle(names) {
  const { build } = await import('esbuild');
  const folder = join(cache, 'tests');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: names.map((name) => join(root, `test/integration/${name}.test.ts`)),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node18',
    logLevel: 'warning',
    external: ['netlink'],
    // packages of CommonJS call it
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
  });
  for (const name of ['mwan3.sh', 'mwan3Marks.sh'])
    cpSync(join(root, 'test/support', name), join(folder, name));
  cpSync(join(root, 'test/kernels/guest.sh'), join(folder, 'guest.sh'));
  return folder;
}

/** Boots, and resolves with the status of each test file; those that did not end have none. */
function boot(version, folder, testFolder) {
  const kernel = readdirSync(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz'));
  const parameters = {
    script: join(testFolder, 'guest.sh'),
    modules: modulesOf(folder),
    node: process.execPath,
    executable,
    slowness: SLOWNESS,
  };
  const line = Object.entries(parameters).map((each) => each.join('='));
  const machine = [
    ...[
      '-accel',
      'tcg',
      '-m',
      '1024',
      '-nodefaults',
      '-no-reboot',
      '-nographic',
      '-serial',
      'stdio',
      '-monitor',
      'none',
    ],
    ...['-kernel', join(folder, 'boot', kernel), '-initrd', writeInitramfs(folder)],
    ...['-append', `console=ttyS0 quiet panic=-1 mitigations=off ${line.join(' ')}`],
    ...['-fsdev', 'local,id=root,path=/,security_model=none,readonly=on,multidevs=remap'],
    ...['-device', 'virtio-9p-pci,fsdev=root,mount_tag=root'],
  ];
  const child = spawn('qemu-system-x86_64', machine, { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_SECONDS * 1000);
  const statuses = new Map();
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = `${rest}${text}`.replaceAll('\r', '').split('\n');
    rest = lines.pop();
    for (const said of lines) {
      console.log(`${version}  ${said}`);
      const ended = /^@@ ended (\d+) (.*)\.test\.mjs$/.exec(said);
      if (ended) statuses.set(ended[2], Number(ended[1]));
    }
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      resolve(statuses);
    });
  });
}

async function main(args) {
  requirePackages();
  const unknown = args.filter((arg) => /^\d/.test(arg) && !releases[arg]);
  if (unknown.length > 0)
    throw new Error(`${unknown.join(', ')}: one of ${Object.keys(releases).join(', ')}`);
  const versions = Object.keys(releases).filter(
    (each) => args.includes(each) || !args.some((arg) => releases[arg]),
  );
  const parts = args.filter((arg) => !releases[arg]);
  const names = tests.filter((name) => parts.length === 0 || parts.some((part) => name.includes(part)));
  if (names.length === 0) throw new Error(`${parts.join(', ')}: no such test: ${tests.join(', ')}`);
  const { reason } = installTools(kernelTools);
  if (reason) throw new Error(reason);
  must('npm', ['run', 'build'], { cwd: root });
  const testFolder = await bundle(names);
  const failures = [];
  for (const version of versions.sort((a, b) => Number(a.split('.')[0]) - Number(b.split('.')[0]))) {
    const statuses = await boot(version, kernelOf(version), testFolder);
    for (const name of names) if (statuses.get(name) !== 0) failures.push(`${version} ${name}`);
  }
  console.log(failures.length === 0 ? `passed on ${versions.join(', ')}` : `FAILED: ${failures.join('; ')}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
