/**
 * Kernel names and numbers of nf_tables.
 * Sources: include/uapi/linux/netfilter/nf_tables.h, nf_tables_compat.h and netfilter.h (Linux 6.18).
 */

/** Commands of NFNL_SUBSYS.NFTABLES: enum nf_tables_msg_types. */
export const NFT_MSG = { NEWRULE: 6, GETRULE: 7 } as const;

/** Attributes of a rule: enum nft_rule_attributes. */
export const NFTA_RULE = { TABLE: 1, CHAIN: 2, HANDLE: 3, EXPRESSIONS: 4 } as const;

/** enum nft_list_attributes. */
export const NFTA_LIST = { ELEM: 1 } as const;

/** enum nft_expr_attributes. */
export const NFTA_EXPR = { NAME: 1, DATA: 2 } as const;

/** The data of the expressions "match" and "target": what iptables had by that name. */
export const NFTA_MATCH = { NAME: 1, REV: 2, INFO: 3 } as const;

/** Families of tables, in the place of an address family. */
export const NFPROTO = { INET: 1, IPV4: 2, ARP: 3, NETDEV: 5, BRIDGE: 7, IPV6: 10 } as const;
