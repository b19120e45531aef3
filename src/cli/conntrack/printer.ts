import type { EventKind, FlowView } from '../../ctnetlink/flowView.ts';
import type { Output } from '../output.ts';
import type { CommandLine } from './commandLine.ts';
import { type JsonEvent, writeFlowJson } from './flowJson.ts';
import { flowSave } from './flowSave.ts';
import { type TextOptions, writeFlowText } from './flowText.ts';
import { flowXml, XML_HEADER } from './flowXml.ts';

/** Writes one flow and the end of its line; `note` stands before the end. */
export type PrintFlow = (view: FlowView, event?: JsonEvent, note?: string) => void;

/** Which of the forms a command knows; the others are passed over, as conntrack(8) does. */
export interface PrinterOptions {
  readonly kernelTimestamp?: boolean;
  readonly labels?: boolean;
  /** What -o save takes a flow for that is no event. */
  readonly savedAs?: EventKind;
  /** Whether the XML is a document, with a header before its first flow. */
  readonly isDocument?: boolean;
}

/** How a command line wants its flows printed. */
export class Printer {
  readonly print: PrintFlow;
  private readonly output: Output;
  private isDocumentBegun = false;

  constructor({ output: forms, labelMap }: CommandLine, output: Output, options: PrinterOptions = {}) {
    this.output = output;
    const text: TextOptions = {
      extended: forms.has('extended'),
      id: forms.has('id'),
      kernelTimestamp: options.kernelTimestamp === true && forms.has('ktimestamp'),
      // shown wherever names were read, for whichever option
      labels: options.labels === true ? labelMap : undefined,
    };
    const withTime = forms.has('timestamp');
    if (forms.has('json')) this.print = this.jsonPrinter(labelMap);
    else if (forms.has('save')) {
      this.print = (view, event, note = '') =>
        output.line(flowSave(view, event?.kind ?? options.savedAs ?? 'new') + note);
    } else if (forms.has('xml')) {
      const xml = { kernelTimestamp: text.kernelTimestamp === true, labels: text.labels };
      this.print = (view, event, note = '') => {
        if (options.isDocument) this.beginDocument('conntrack');
        const timestamp = withTime && event !== undefined;
        output.line(flowXml(view, { ...xml, timestamp }, event?.kind) + note);
      };
    } else this.print = this.textPrinter(text, withTime);
  }

  private jsonPrinter(labelMap: CommandLine['labelMap']): PrintFlow {
    const { output } = this;
    return (view, event) => {
      writeFlowJson(output.sink, view, labelMap, event);
      output.endLine();
    };
  }

  private textPrinter(options: TextOptions, withTime: boolean): PrintFlow {
    const { output } = this;
    return (view, event, note) => {
      if (withTime && event !== undefined) output.text(timeOfDay(8, 6));
      writeFlowText(output.sink, view, options, event?.kind);
      if (note !== undefined) output.text(note);
      output.endLine();
    };
  }

  /** The XML header, once. */
  beginDocument(root: string): void {
    if (this.isDocumentBegun) return;
    this.isDocumentBegun = true;
    this.output.text(`${XML_HEADER}<${root}>\n`);
  }

  /** The end of the XML, where it was begun. */
  endDocument(root: string): void {
    if (this.isDocumentBegun) this.output.text(`</${root}>\n`);
  }
}

/** Now, as events begin with it: seconds and microseconds with so many digits at least. */
export function timeOfDay(secondDigits: number, microDigits: number, pad = '0', isLeft = false): string {
  const now = performance.timeOrigin + performance.now();
  const seconds = String(Math.floor(now / 1000));
  const micros = String(Math.floor((now % 1000) * 1000));
  const fill = (text: string, digits: number) =>
    isLeft ? text.padEnd(digits, pad) : text.padStart(digits, pad);
  return `[${fill(seconds, secondDigits)}.${fill(micros, microDigits)}]\t`;
}
