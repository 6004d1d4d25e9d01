/** Keeps each reason once, however many entries give it, and none that no entry gives. */
export class ReasonTable {
  readonly #texts: string[] = [];
  readonly #uses: number[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #free: number[] = [];

  /** One more use of it. */
  take(text: string): number {
    const known = this.#numbers.get(text);
    const number = known ?? this.#free.pop() ?? this.#texts.length;
    if (known === undefined) {
      this.#texts[number] = text;
      this.#uses[number] = 0;
      this.#numbers.set(text, number);
    }
    this.#uses[number] = (this.#uses[number] ?? 0) + 1;
    return number;
  }

  /** One use less. */
  drop(number: number): void {
    const left = (this.#uses[number] ?? 1) - 1;
    this.#uses[number] = left;
    if (left > 0) return;
    this.#numbers.delete(this.text(number));
    this.#texts[number] = '';
    this.#free.push(number);
  }

  text(number: number): string {
    return this.#texts[number] ?? '';
  }

  clone(): ReasonTable {
    const copy = new ReasonTable();
    copy.#texts.push(...this.#texts);
    copy.#uses.push(...this.#uses);
    copy.#free.push(...this.#free);
    for (const [text, number] of this.#numbers) copy.#numbers.set(text, number);
    return copy;
  }
}
