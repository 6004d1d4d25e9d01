/** Reads server-sent events (WHATWG HTML §9.2.6) from text as it comes. */

export interface SentEvent {
  readonly event: string;
  readonly data: string;
  /** The last id that the stream has told. */
  readonly id: string | undefined;
}

export class EventStreamReader {
  private text = '';
  private id: string | undefined;

  /** The events that are whole by now. Lines end in LF or CRLF. */
  read(chunk: string): SentEvent[] {
    // A CR at the end may be half of a line's end.
    this.text = (this.text + chunk).replaceAll('\r\n', '\n');
    const blocks = this.text.split('\n\n');
    this.text = blocks.pop() ?? '';
    return blocks.flatMap((block) => this.eventOf(block) ?? []);
  }

  private eventOf(block: string): SentEvent | undefined {
    let event = 'message';
    const data: string[] = [];
    for (const line of block.split('\n')) {
      const [, name, value] = /^(event|data|id)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (name === 'event') event = value ?? '';
      if (name === 'data') data.push(value ?? '');
      if (name === 'id') this.id = value ?? '';
    }
    return data.length > 0 ? { event, data: data.join('\n'), id: this.id } : undefined;
  }
}
