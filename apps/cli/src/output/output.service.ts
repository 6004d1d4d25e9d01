/** Standard output: the answer as JSON with `--json`, else for people. */
import { printable, textTable } from './text-table.js';

export class OutputService {
  constructor(readonly json: boolean) {}

  /** `answer`: what a script gets; `head` and `rows`: what a person gets. */
  table(answer: unknown, head: readonly string[], rows: readonly (readonly unknown[])[]): void {
    this.write(this.json ? JSON.stringify(answer, undefined, 2) : rows.length === 0 ? 'none' : textTable(head, rows));
  }

  /** One thing, a line for each of its members that says something. */
  record(answer: object): void {
    const rows = Object.entries(answer).filter(([, value]) => value !== undefined && value !== null);
    this.write(this.json ? JSON.stringify(answer, undefined, 2) : textTable([], rows));
  }

  /** One of many as they come: JSON on a line of its own. */
  item(answer: unknown, words: readonly unknown[]): void {
    this.write(this.json ? JSON.stringify(answer) : words.map(printable).filter(Boolean).join('  '));
  }

  write(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}
