import { attr, attrs } from '../nfnetlink/codec.ts';
import { text, u16be, u32be } from '../nfnetlink/scalar.ts';
import { CTA_EXPECT, CTA_EXPECT_NAT } from './constants.ts';
import { tupleCodec } from './tuple.ts';

export const expectationNatAttributes = attrs('CTA_EXPECT_NAT', CTA_EXPECT_NAT, {
  /** Direction of the master that the translation answers: 0 original, 1 reply. */
  direction: attr(CTA_EXPECT_NAT.DIR, u32be),
  tuple: attr(CTA_EXPECT_NAT.TUPLE, tupleCodec),
});

/** Everything that a message about an expectation may carry, in the order in which requests are written. */
export const expectationAttributes = attrs('CTA_EXPECT', CTA_EXPECT, {
  masterTuple: attr(CTA_EXPECT.MASTER, tupleCodec),
  tuple: attr(CTA_EXPECT.TUPLE, tupleCodec),
  mask: attr(CTA_EXPECT.MASK, tupleCodec),
  nat: attr(CTA_EXPECT.NAT, expectationNatAttributes),
  timeout: attr(CTA_EXPECT.TIMEOUT, u32be),
  id: attr(CTA_EXPECT.ID, u32be),
  flags: attr(CTA_EXPECT.FLAGS, u32be),
  class: attr(CTA_EXPECT.CLASS, u32be),
  /** NF_CT_HELPER_NAME_LEN is 16 with the zero. */
  helperName: attr(CTA_EXPECT.HELP_NAME, text(15)),
  zone: attr(CTA_EXPECT.ZONE, u16be),
  functionName: attr(CTA_EXPECT.FN, text()),
});
