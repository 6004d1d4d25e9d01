/** The tokens of one JSON text as rows of four numbers: kind, first byte, byte after the last, row after the subtree. */

export const KIND = {
  object: 0,
  array: 1,
  string: 2,
  escapedString: 3,
  number: 4,
  true: 5,
  false: 6,
  null: 7,
} as const;

const COLUMNS = 4;
const FIRST_ROWS = 64;

/** Grows by doubling; a text of n bytes has at most n + 1 tokens, so memory is bounded by the size that the scan allows. */
export class TokenTable {
  private cells = new Uint32Array(FIRST_ROWS * COLUMNS);
  private rows = 0;

  /** The row of a token whose end is not known yet, or is given. */
  add(kind: number, start: number, end: number): number {
    if (this.rows * COLUMNS === this.cells.length) this.grow();
    const at = this.rows * COLUMNS;
    this.cells[at] = kind;
    this.cells[at + 1] = start;
    this.cells[at + 2] = end;
    this.cells[at + 3] = this.rows + 1;
    return this.rows++;
  }

  /** Ends a container: everything added since its own row is inside it. */
  close(row: number, end: number): void {
    this.cells[row * COLUMNS + 2] = end;
    this.cells[row * COLUMNS + 3] = this.rows;
  }

  kind(row: number): number {
    return this.cells[row * COLUMNS]!;
  }

  start(row: number): number {
    return this.cells[row * COLUMNS + 1]!;
  }

  end(row: number): number {
    return this.cells[row * COLUMNS + 2]!;
  }

  next(row: number): number {
    return this.cells[row * COLUMNS + 3]!;
  }

  private grow(): void {
    const larger = new Uint32Array(this.cells.length * 2);
    larger.set(this.cells);
    this.cells = larger;
  }
}
