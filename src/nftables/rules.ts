import { attr, attrs, bytes, NFNL_SUBSYS, NLM_F, repeated, text } from '../nfnetlink/index.ts';
import { ATTRIBUTES_AT, encodeRequest, messageFamily, messageTypeOf } from '../nfnetlink/message.ts';
import type { Requester } from '../nfnetlink/requester.ts';
import { NFT_MSG, NFTA_EXPR, NFTA_LIST, NFTA_MATCH, NFTA_RULE } from './constants.ts';

const expressionAttributes = attrs('NFTA_EXPR', NFTA_EXPR, {
  name: attr(NFTA_EXPR.NAME, text()),
  /** Its shape follows from the name. */
  data: attr(NFTA_EXPR.DATA, bytes()),
});

const ruleAttributes = attrs('NFTA_RULE', NFTA_RULE, {
  expressions: attr(
    NFTA_RULE.EXPRESSIONS,
    attrs('NFTA_LIST', NFTA_LIST, { elements: repeated(attr(NFTA_LIST.ELEM, expressionAttributes)) }),
  ),
});

const matchAttributes = attrs('NFTA_MATCH', NFTA_MATCH, { name: attr(NFTA_MATCH.NAME, text()) });

/** A rule as the names of its parts: 'ct', 'nat', and 'match conntrack' for what iptables-nft wrote. */
export interface RuleParts {
  /** NFPROTO of its table. */
  readonly family: number;
  readonly parts: readonly string[];
}

/**
 * The rules of every table, read as far as the names of their parts.
 * @throws KernelError where the kernel has no nf_tables; DumpInterruptedError where rules changed meanwhile
 */
export async function listRuleParts(requester: Requester): Promise<RuleParts[]> {
  const type = messageTypeOf(NFNL_SUBSYS.NFTABLES, NFT_MSG.GETRULE);
  const rules: RuleParts[] = [];
  await requester.visit(
    encodeRequest({ type, flags: NLM_F.REQUEST | NLM_F.DUMP }, ruleAttributes, {}),
    (message, start, end) => {
      const { expressions } = ruleAttributes.decode(message, start + ATTRIBUTES_AT, end);
      const parts = (expressions?.elements ?? []).map(({ name = '', data }) =>
        (name === 'match' || name === 'target') && data
          ? `${name} ${matchAttributes.decode(data, 0, data.length).name ?? ''}`
          : name,
      );
      rules.push({ family: messageFamily(message, start), parts });
    },
  );
  return rules;
}
