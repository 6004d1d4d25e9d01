/** Sums up a set of denylist entries in 32 bytes: the XOR of their SHA-256, in whatever order they came and went. */
import { hash } from 'node:crypto';
import type { DenylistKind, DenylistMode } from './denylist-entry.js';

export class ListDigest {
  readonly #sum = Buffer.from(new ArrayBuffer(32));
  readonly #sumWords = new Uint32Array(this.#sum.buffer);
  readonly #one = Buffer.from(new ArrayBuffer(32));
  readonly #oneWords = new Uint32Array(this.#one.buffer);

  /** XOR is its own inverse: adds what was not in it, takes out what was. */
  toggle(kind: DenylistKind, value: string, mode: DenylistMode): void {
    // Hex text is what node:crypto gives out five times as fast as bytes.
    this.#one.write(hash('sha256', `${kind}.${value}.${mode}`), 'hex');
    for (let i = 0; i < 8; i += 1) {
      this.#sumWords[i] = (this.#sumWords[i] as number) ^ (this.#oneWords[i] as number);
    }
  }

  /** 64 lower-case hex digits; zeros for the empty set. */
  get hex(): string {
    return this.#sum.toString('hex');
  }

  clone(): ListDigest {
    const copy = new ListDigest();
    copy.#sum.set(this.#sum);
    return copy;
  }
}
