import { draftRules } from '../../report/draft.ts';
import { type RuleText, ruleTexts } from '../../report/draftText.ts';
import { csvLines, jsonLines, textLines } from '../../report/flowLines.ts';
import { type FlowSelection, type FlowTable, selectFlows } from '../../report/flowTable.ts';
import { ipsetDraft } from '../../report/ipsetDraft.ts';
import { iptablesDraft } from '../../report/iptablesDraft.ts';
import { nftDraft } from '../../report/nftDraft.ts';
import { summaryLines } from '../../report/summary.ts';
import type { ReportSettings } from './settings.ts';

type Writer = (flows: FlowSelection, slack: number) => Iterable<string>;

const drafted =
  (write: (texts: readonly RuleText[]) => Iterable<string>): Writer =>
  (flows, slack) =>
    write(ruleTexts(draftRules(flows, slack)));

const writers: Readonly<Record<ReportSettings['format'], Writer>> = {
  text: textLines,
  json: jsonLines,
  csv: csvLines,
  summary: summaryLines,
  nft: drafted(nftDraft),
  iptables: drafted(iptablesDraft),
  ipset: drafted(ipsetDraft),
};

/** What is known by now, in pieces of text. */
export function reportPieces(table: FlowTable, settings: ReportSettings): Iterable<string> {
  return writers[settings.format](selectFlows(table, settings.onlyConfirmed), settings.slack);
}
