/** Why a flow is none of the daemon's business. */
export type IgnoreReason =
  | 'multicast'
  | 'broadcast'
  | 'loopback'
  | 'link-local'
  | 'connected'
  | 'exempt-destination'
  | 'exempt-source'
  | 'exempt-port'
  | 'unmarked'
  | 'foreign-mark'
  | 'unsupported-family';

/**
 * What is to be said of a flow. `rule` is the index of the rule that decided. `placed` without a rule
 * means that no rule's answer could have made it misplaced, so none was asked.
 */
export type Verdict =
  | { readonly kind: 'ignored'; readonly reason: IgnoreReason }
  | { readonly kind: 'unclassified' }
  | { readonly kind: 'no-target'; readonly rule: number }
  | { readonly kind: 'placed'; readonly rule: number | undefined }
  | { readonly kind: 'misplaced'; readonly rule: number };
