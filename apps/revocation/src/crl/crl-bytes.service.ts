import { Injectable } from '@nestjs/common';
import { Crls, type CrlVersion } from './crl.repository.js';

/** Lists up to here are held whole, so that they are there while PostgreSQL is away; longer ones go through in parts. */
const WHOLE_BYTES_MAX = 1_048_576;
const HELD_BYTES_MAX = 64 * 1_048_576;

interface Held {
  readonly number: string;
  readonly der: Uint8Array;
}

/** The bytes of published lists. */
@Injectable()
export class CrlBytes {
  /** By file, the one that was longest unused first. */
  private readonly held = new Map<string, Held>();
  private heldBytes = 0;

  constructor(private readonly crls: Crls) {}

  /** The whole of a short list; undefined for a long one. */
  async whole(file: string, crl: CrlVersion): Promise<Uint8Array | undefined> {
    if (Number(crl.bytes) > WHOLE_BYTES_MAX) return undefined;
    const known = this.held.get(file);
    if (known?.number === crl.number) {
      this.held.delete(file);
      this.held.set(file, known);
      return known.der;
    }
    const parts: Uint8Array[] = [];
    for await (const part of this.parts(crl)) parts.push(part);
    const der = Buffer.concat(parts);
    this.hold(file, { number: crl.number, der });
    return der;
  }

  /** Read as fast as they are taken. @throws Error for a list that has gone meanwhile: a reader of ten minutes. */
  async *parts(crl: CrlVersion): AsyncGenerator<Uint8Array> {
    yield crl.head;
    for (let part = 0; part < crl.parts; part += 1) {
      const der = await this.crls.part(crl.draft, part);
      if (der === undefined) throw new Error('a part of a list that is served has gone');
      yield der;
    }
    if (crl.tail.length > 0) yield crl.tail;
  }

  private hold(file: string, held: Held): void {
    this.drop(file);
    this.held.set(file, held);
    this.heldBytes += held.der.length;
    for (const oldest of this.held.keys()) {
      if (this.heldBytes <= HELD_BYTES_MAX) return;
      this.drop(oldest);
    }
  }

  private drop(file: string): void {
    this.heldBytes -= this.held.get(file)?.der.length ?? 0;
    this.held.delete(file);
  }
}
