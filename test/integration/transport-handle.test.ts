// run: timeout=300
import { test } from 'uvu';
import { openHandle } from '../../src/nfnetlink/transport/handle.ts';
import { makePrebuilt } from '../../src/nfnetlink/transport/prebuiltBinding.ts';
import { insideNamespace } from '../support/namespace.ts';
import { transportContract } from '../support/transportContract.ts';

await insideNamespace(import.meta.url, () => {
  transportContract((options) => openHandle(makePrebuilt(options?.protocol ?? 12), options));
  test.run();
});
