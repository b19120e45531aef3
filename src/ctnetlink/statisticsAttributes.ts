import { attr, attrs } from '../nfnetlink/codec.ts';
import { u32be } from '../nfnetlink/scalar.ts';
import { CTA_STATS, CTA_STATS_EXP, CTA_STATS_GLOBAL } from './constants.ts';

/** What one CPU has counted; the CPU's number is the message's resource id. */
export const cpuStatisticsAttributes = attrs('CTA_STATS', CTA_STATS, {
  searched: attr(CTA_STATS.SEARCHED, u32be),
  found: attr(CTA_STATS.FOUND, u32be),
  new: attr(CTA_STATS.NEW, u32be),
  invalid: attr(CTA_STATS.INVALID, u32be),
  ignore: attr(CTA_STATS.IGNORE, u32be),
  delete: attr(CTA_STATS.DELETE, u32be),
  deleteList: attr(CTA_STATS.DELETE_LIST, u32be),
  insert: attr(CTA_STATS.INSERT, u32be),
  insertFailed: attr(CTA_STATS.INSERT_FAILED, u32be),
  drop: attr(CTA_STATS.DROP, u32be),
  earlyDrop: attr(CTA_STATS.EARLY_DROP, u32be),
  error: attr(CTA_STATS.ERROR, u32be),
  searchRestart: attr(CTA_STATS.SEARCH_RESTART, u32be),
  clashResolve: attr(CTA_STATS.CLASH_RESOLVE, u32be),
  chainTooLong: attr(CTA_STATS.CHAIN_TOOLONG, u32be),
});

export const tableStatisticsAttributes = attrs('CTA_STATS_GLOBAL', CTA_STATS_GLOBAL, {
  entries: attr(CTA_STATS_GLOBAL.ENTRIES, u32be),
  maxEntries: attr(CTA_STATS_GLOBAL.MAX_ENTRIES, u32be),
});

/** What one CPU has counted of expectations. */
export const expectationStatisticsAttributes = attrs('CTA_STATS_EXP', CTA_STATS_EXP, {
  new: attr(CTA_STATS_EXP.NEW, u32be),
  create: attr(CTA_STATS_EXP.CREATE, u32be),
  delete: attr(CTA_STATS_EXP.DELETE, u32be),
});
