/** The demo's printed story: what happened, when, how long it took, and the end at the first thing that is not as it must be. */

/** Something is not as it must be. */
export class NotAsItMustBe extends Error {
  override readonly name = 'NotAsItMustBe';
}

const WIDTH = 64;

export class Timeline {
  readonly #begun = performance.now();

  chapter(title: string): void {
    console.log(`\n${title}`);
  }

  /** `ms`: a measured time; left out where there is none. */
  line(what: string, ms?: number): void {
    const at = `${((performance.now() - this.#begun) / 1000).toFixed(2)} s`.padStart(9);
    console.log(`${at}  ${what.padEnd(WIDTH)}${ms === undefined ? '' : `${ms.toFixed(0)} ms`.padStart(9)}`);
  }

  /** Ends the demo unless `holds`. */
  must(what: string, holds: boolean, seen: unknown): void {
    if (!holds) throw new NotAsItMustBe(`${what}\n  seen: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`);
  }
}
