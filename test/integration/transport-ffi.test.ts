// run: node=26 timeout=300
import { test } from 'uvu';
import { openFfi } from '../../src/nfnetlink/transport/ffi.ts';
import { insideNamespace } from '../support/namespace.ts';
import { transportContract } from '../support/transportContract.ts';

await insideNamespace(import.meta.url, () => {
  transportContract(openFfi);
  test.run();
});
