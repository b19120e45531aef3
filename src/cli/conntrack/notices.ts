import { whenXml } from './flowXml.ts';
import type { OutputKeyword } from './keywords.ts';
import { timeOfDay } from './printer.ts';

/** What happens to the stream of events itself. */
export type Notice =
  | { readonly event: 'overrun' }
  | { readonly event: 'resync'; readonly counts: Readonly<Record<string, number>> };

/** A line among the events that is none of a flow, in the form that the events have. */
export function noticeLine(notice: Notice, forms: ReadonlySet<OutputKeyword>): string {
  const { event } = notice;
  const counts = notice.event === 'resync' ? Object.entries(notice.counts) : [];
  const withTime = forms.has('timestamp');
  if (forms.has('json')) {
    return JSON.stringify({ event, time: new Date().toISOString(), ...Object.fromEntries(counts) });
  }
  const words = counts.map(([name, count]) => `${name}=${count}`).join(' ');
  const said = event === 'overrun' ? 'events were lost' : words;
  if (forms.has('save')) return `# ${event}: ${said}`;
  if (forms.has('xml')) {
    const attributes = counts.map(([name, count]) => ` ${name}="${count}"`).join('');
    const when = withTime ? whenXml(new Date()) : '';
    return when === '' ? `<${event}${attributes}/>` : `<${event}${attributes}>${when}</${event}>`;
  }
  return `${withTime ? timeOfDay(8, 6) : ''}${`[${event.toUpperCase()}]`.padStart(9)} ${said}`;
}
