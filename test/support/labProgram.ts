/** A program that tests start, end and look after: `build` makes a laboratory and stays. */
import {
  buildLab,
  isInUserNamespace,
  labRequirements,
  missingText,
  runInUserNamespace,
} from '../../src/lab/index.ts';

/** Prints the laboratory's id, and the pid of a process that lives on inside it. */
async function buildAndStay(): Promise<void> {
  const lab = await buildLab();
  const program = ['--eval', 'console.log("inside"); setInterval(() => {}, 1e6)'];
  const child = lab.router.spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout!.once('data', resolve));
  console.log(JSON.stringify({ id: lab.id, inside: child.pid }));
}

/** Builds, moves a flow and goes; in a user namespace, whoever runs it. */
async function buildWithoutRoot(): Promise<void> {
  if (!isInUserNamespace()) {
    const { how, missing } = labRequirements();
    if (how !== 'user-namespace') throw new Error(missing.map(missingText).join('; ') || `runs as ${how}`);
    process.exitCode = await runInUserNamespace();
    return;
  }
  const address = '203.0.113.10';
  const lab = await buildLab();
  const first = await (await lab.client(1).tcp({ address })).send();
  await lab.addToSet('app_1.v4', address);
  const second = await (await lab.client(1).udp({ address })).send();
  await lab.close();
  console.log(JSON.stringify({ id: lab.id, wans: [first.wan, second.wan] }));
}

const work = process.argv[2] === 'build' ? buildAndStay() : buildWithoutRoot();
work.catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
