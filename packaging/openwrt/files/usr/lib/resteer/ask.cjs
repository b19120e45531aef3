/**
 * Asks the daemon's control socket, for rpcd: the method is an argument, its parameters are a JSON object on
 * standard input (or nothing), the answer is one JSON object on standard output, errors too.
 */
const { readFileSync } = require('node:fs');
const { connect } = require('node:net');

const path = process.env.RESTEER_CONTROL ?? '/var/run/resteer.sock';
// rpcd gives up after 120 s
const limit = 100_000;

const empty = [];
const methods = {
  status: empty,
  explain: ['destination', 'source', 'protocol', 'sourcePort', 'destinationPort', 'interface', 'mark'],
  sweep: empty,
  reload: empty,
  pause: empty,
  resume: empty,
};

function finish(answer) {
  process.stdout.write(`${answer}\n`, () => process.exit(0));
}

function fail(error) {
  finish(JSON.stringify({ ok: false, error }));
}

/** The method with those of its parameters that were given; rpcd adds its own to them. */
function readRequest(command) {
  const names = Object.hasOwn(methods, command) ? methods[command] : undefined;
  if (!names) throw new Error(`${JSON.stringify(command)} is none of ${Object.keys(methods).join(', ')}`);
  const input = readFileSync(0, 'utf8').trim();
  const given = input === '' ? {} : JSON.parse(input);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new Error('the parameters are no JSON object');
  }
  const chosen = names.filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]]);
  return { ...Object.fromEntries(chosen), command };
}

function ask(request) {
  let text = '';
  const client = connect(path, () => client.write(`${JSON.stringify(request)}\n`));
  client.setEncoding('utf8');
  client.setTimeout(limit, () => fail(`${path}: no answer in ${limit / 1000} s`));
  client.on('error', ({ code, message }) => {
    const isAbsent = code === 'ENOENT' || code === 'ECONNREFUSED';
    fail(isAbsent ? 'resteer is not running: /etc/init.d/resteer start' : message);
  });
  client.on('data', (chunk) => {
    text += chunk;
    const end = text.indexOf('\n');
    if (end >= 0) finish(text.slice(0, end));
  });
  client.on('end', () => fail(`${path}: closed without an answer`));
}

try {
  ask(readRequest(process.argv[2] ?? ''));
} catch (error) {
  fail(error.message);
}
