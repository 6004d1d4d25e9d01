/** What an attack is, and how its tries are judged: one thing that is not refused as it must be, and it was not held. */

export interface Outcome {
  readonly held: boolean;
  /** What was seen; where it was not held, only what should not have been. */
  readonly seen: string;
}

export interface Attack {
  /** Its number; attacks that belong together share one. */
  readonly row: number;
  readonly attacker: string;
  readonly expected: string;
  run(): Promise<Outcome>;
}

/** `body` tries everything and tells `trial` what it saw; if it throws, the attack counts as not held. */
export function attack(row: number, attacker: string, expected: string, body: (trial: Trial) => Promise<void>): Attack {
  const run = async (): Promise<Outcome> => {
    const trial = new Trial();
    try {
      await body(trial);
    } catch (error) {
      return { held: false, seen: `the attack broke off: ${told(error)}` };
    }
    return trial.outcome();
  };
  return { row, attacker, expected, run };
}

function told(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}

export class Trial {
  readonly #seen = new Map<string, number>();
  readonly #wrong: string[] = [];

  /** `wanted`: exactly this, or one that matches. */
  check(what: string, wanted: string | RegExp, seen: string): void {
    const holds = typeof wanted === 'string' ? wanted === seen : wanted.test(seen);
    if (holds) this.#seen.set(seen, (this.#seen.get(seen) ?? 0) + 1);
    else this.#wrong.push(`${what}: ${seen} (must be ${wanted})`);
  }

  /** What is no answer of a service; `note` stands in the table, once. */
  must(what: string, holds: boolean, seen: unknown, note?: string): void {
    if (!holds) this.#wrong.push(`${what}: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`);
    else if (note) this.note(note);
  }

  /** For the table. */
  note(seen: string): void {
    this.#seen.set(seen, 1);
  }

  outcome(): Outcome {
    if (this.#wrong.length > 0) return { held: false, seen: this.#wrong.join('; ') };
    const lines = [...this.#seen].map(([seen, times]) => (times > 1 ? `${seen} (${times}x)` : seen));
    return { held: lines.length > 0, seen: lines.join(', ') || 'nothing was tried' };
  }
}
