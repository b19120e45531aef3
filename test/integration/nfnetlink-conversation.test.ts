import { test } from 'uvu';
import { describeTransport } from '../../src/nfnetlink/transport/select.ts';
import { conversationContract } from '../support/conversationContract.ts';
import { insideNamespace } from '../support/namespace.ts';

await insideNamespace(import.meta.url, () => {
  conversationContract(describeTransport().kind!);
  test.run();
});
