// run: node=26
import { test } from 'uvu';
import { conversationContract } from '../support/conversationContract.ts';
import { insideNamespace } from '../support/namespace.ts';

// the transport that older runtimes have, on one that would choose another
process.env.RESTEER_TRANSPORT = 'handle';

await insideNamespace(import.meta.url, () => {
  conversationContract('handle');
  test.run();
});
