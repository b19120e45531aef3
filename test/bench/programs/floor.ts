/** What the daemon cannot do without, and nothing else: its sockets, its control socket, a line of output. */
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { openTransport } from '../../../src/nfnetlink/transport/select.ts';

const [path = ''] = process.argv.slice(2);
rmSync(path, { force: true });
const opening = [0, 0, 12, 12, 12, 12].map((protocol) => openTransport({ protocol }));
void Promise.all(opening).then((transports) => {
  for (const transport of transports) transport.onBatch(() => {});
  createServer().listen(path, () => process.stdout.write('{"event":"ready"}\n'));
});
