import { createHash, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { encodeCrlEntries } from '@outrider/x509';
import { type CrlDraft, crlEntry } from './crl.js';
import { Crls } from './crl.repository.js';
import { CrlEntries, type Entries } from './crl-entries.repository.js';

export interface WrittenDraft extends CrlDraft {
  readonly parts: number;
  /** The last change that the entries know of. */
  readonly upTo: string;
  /** All of them, where they are one part at most. */
  readonly only: Uint8Array | undefined;
}

/** Writes the entries of a list where every replica finds them, a part at a time: none is held longer than it takes. */
@Injectable()
export class CrlDrafts {
  constructor(
    private readonly crls: Crls,
    private readonly entries: CrlEntries,
  ) {}

  async write(list: Entries, thisUpdate: Date): Promise<WrittenDraft> {
    const draft = randomUUID();
    const hash = createHash('sha256');
    let [count, bytes, parts] = [0, 0, 0];
    let only: Uint8Array | undefined = new Uint8Array();
    const upTo = await this.entries.read(list, async (page) => {
      const { der, count: listed } = encodeCrlEntries(page.map((status) => crlEntry(status, thisUpdate)));
      if (listed === 0) return;
      await this.crls.addPart(draft, parts, der);
      hash.update(der);
      only = parts === 0 ? der : undefined;
      count += listed;
      bytes += der.length;
      parts += 1;
    });
    return { draft, parts, upTo, only, entries: { count, bytes, sha256: hash.digest('hex') } };
  }
}
