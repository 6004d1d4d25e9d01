/** Server-sent events out of text as it comes in, part by part (the WHATWG stream format, as far as the platform uses it). */

export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

/** An event beyond this is none of the platform's: a signed command is at most half of it. */
const MAX_EVENT_CHARS = 131_072;

export class EventStream {
  private rest = '';

  /** The events that are whole now. Comments are nobody's. Throws RangeError for an event without end. */
  push(text: string): StreamEvent[] {
    const parts = (this.rest + text).replaceAll('\r\n', '\n').split('\n\n');
    this.rest = parts.pop() ?? '';
    if (this.rest.length > MAX_EVENT_CHARS) throw new RangeError('an event of the stream is too large');
    return parts.flatMap((part) => eventOf(part) ?? []);
  }
}

function eventOf(part: string): StreamEvent | undefined {
  let name = 'message';
  const data: string[] = [];
  for (const line of part.split('\n')) {
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') name = value;
    if (field === 'data') data.push(value);
  }
  return data.length > 0 ? { name, data: data.join('\n') } : undefined;
}
