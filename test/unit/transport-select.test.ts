import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeTransport, openTransport } from '../../src/nfnetlink/transport/select.ts';

const inherited = process.env.RESTEER_TRANSPORT;
test.after.each(() => {
  if (inherited === undefined) Reflect.deleteProperty(process.env, 'RESTEER_TRANSPORT');
  else process.env.RESTEER_TRANSPORT = inherited;
});

/** Runs with another process.platform. */
async function onPlatform(value: string, run: () => unknown): Promise<void> {
  const real = Object.getOwnPropertyDescriptor(process, 'platform')!;
  Object.defineProperty(process, 'platform', { ...real, value });
  try {
    await run();
  } finally {
    Object.defineProperty(process, 'platform', real);
  }
}

async function failure(
  run: () => Promise<unknown>,
): Promise<{ kind: string; code: string; message: string }> {
  try {
    await run();
  } catch (error) {
    return error as { kind: string; code: string; message: string };
  }
  throw new Error('did not fail');
}

test('a bad RESTEER_TRANSPORT is refused, with what is allowed', async () => {
  process.env.RESTEER_TRANSPORT = 'magic';
  const error = await failure(() => openTransport());
  assert.is(error.kind, 'transport');
  assert.is(error.code, 'EINVAL');
  assert.match(error.message, /"magic".*ffi or handle/);
  assert.throws(() => describeTransport(), /"magic"/);
});

test('an empty RESTEER_TRANSPORT is none', () => {
  process.env.RESTEER_TRANSPORT = '';
  const { kind } = describeTransport();
  Reflect.deleteProperty(process.env, 'RESTEER_TRANSPORT');
  assert.is(kind, describeTransport().kind);
});

test('both transports are described, and the chosen one is usable', () => {
  Reflect.deleteProperty(process.env, 'RESTEER_TRANSPORT');
  const { kind, why, available } = describeTransport();
  assert.equal(
    available.map((each) => each.kind),
    ['ffi', 'handle'],
  );
  const first = available.find(({ usable }) => usable);
  assert.is(kind, first?.kind);
  if (first) assert.is(why, first.reason);
  for (const { reason } of available) assert.ok(reason.length > 0);
});

test('forcing says so, also where it cannot be had', () => {
  process.env.RESTEER_TRANSPORT = 'ffi';
  const { kind, why, available } = describeTransport();
  assert.is(kind, available[0]!.usable ? 'ffi' : undefined);
  assert.match(why, 'RESTEER_TRANSPORT=ffi');
});

test('another platform than Linux', async () => {
  await onPlatform('darwin', async () => {
    const error = await failure(() => openTransport());
    assert.is(error.kind, 'transport');
    assert.is(error.code, 'EAFNOSUPPORT');
    assert.match(error.message, 'darwin');
  });
});

test.run();
