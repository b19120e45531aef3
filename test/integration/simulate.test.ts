// run: timeout=300
/** What a capture of the real kernel lets resteer predict, against what a daemon said while it was made. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoggedEvent } from '../../src/cli/demo/routerDaemon.ts';
import { parseAddress } from '../../src/nfnetlink/index.ts';
import {
  addresses,
  appSet,
  configWith,
  requireLab,
  startInRouter,
  withDaemon,
} from '../support/daemonLab.ts';
import { until } from '../support/waiting.ts';

requireLab(import.meta.url);

const folder = mkdtempSync(join(tmpdir(), 'resteer-simulate-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Whether a file holds a listing of a set with this element. */
function listsElement(file: string, address: string): boolean {
  if (!existsSync(file)) return false;
  // IPSET_ATTR_IP, and in it IPSET_ATTR_IPADDR_IPV4, as this machine writes their headers
  const nest = Buffer.from(Uint16Array.of(12, 0x8001, 8, 1).buffer);
  return readFileSync(file).includes(Buffer.concat([nest, parseAddress(address)!]));
}

/** What is decided about which flow, each once, in an order of its own. */
function decisionsIn(events: readonly LoggedEvent[]): string[] {
  const said = events.flatMap((event) => {
    if (event.event !== 'reset') return [];
    const { outcome, rule, set, from, expected } = event;
    const { protocol, source, destination, sourcePort, destinationPort, mark } = event.flow;
    const flow = `${protocol} ${source}:${sourcePort} ${destination}:${destinationPort} mark ${mark}`;
    return [`${flow}: ${outcome} by ${rule} (${set}) from ${from} to ${expected.join()}`];
  });
  return [...new Set(said)].sort();
}

test(
  'played, a capture has the same flows reset, for the same reasons, as a daemon that watched live',
  withDaemon({ args: ['--dry-run'] }, async ({ lab, daemon, resteer }) => {
    const [early, late, never] = addresses.ipv4;
    const set = appSet.ipv4;
    const old = await lab.client(1).tcp({ address: early });
    await old.send();
    const file = join(folder, 'lab.pcapng');
    const sets = ['--with-sets', set, appSet.ipv6, '--sets-interval', '100ms'];
    const capture = startInRouter(lab, ['capture', file, '--with-dump', ...sets]);
    let errors = '';
    capture.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    await until('it records', () => errors.includes('recording into'));
    const flows = [
      await lab.client(1).udp({ address: late }),
      await lab.client(2).tcp({ address: late }),
      await lab.client(2).tcp({ address: never }),
    ];
    for (const flow of flows) await flow.send();
    for (const address of [early, late]) {
      await lab.addToSet(set, address);
      await daemon.event('reset', ({ flow }) => flow.destination === address);
      await until(`the capture lists ${address}`, () => listsElement(file, address));
    }
    await until('both flows are found', () => decisionsIn(daemon.events).length >= 3);
    const ended = once(capture, 'close');
    capture.kill('SIGINT');
    await ended;

    const config = join(folder, 'resteer.json');
    writeFileSync(config, JSON.stringify(configWith({ dryRun: true })));
    const simulated = await resteer('simulate', '--capture', file, '--config', config, '--json');
    assert.is(simulated.exitCode, 0, simulated.err);
    const told = simulated.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(decisionsIn(told), decisionsIn(daemon.events));
    assert.is(decisionsIn(told).length, 3);
    for (const flow of [old, ...flows]) await flow.close();
  }),
);

test.run();
