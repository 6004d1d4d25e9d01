/** Whether the entries that arrive part by part are those that were asked to be signed, and entries that a CA may sign. */
import { createHash } from 'node:crypto';
import type { CrlSignRequest } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { type CrlEntriesRead, type CrlEntryRules, type CrlForm, NO_ENTRIES_READ, readCrlEntries } from '@outrider/x509';

/** Before any certificate of any fleet. */
const NOT_BEFORE = new Date('2000-01-01T00:00:00Z');

/** Holds one part at a time: the entries before it are a count, a hash and the last serial number. */
export class EntriesIntake {
  private readonly hash = createHash('sha256');
  private readonly rules: CrlEntryRules;
  private read: CrlEntriesRead = NO_ENTRIES_READ;
  private bytes = 0;

  constructor(
    private readonly claimed: CrlSignRequest['entries'],
    form: CrlForm,
  ) {
    const mayRemove = form.baseCrlNumber !== undefined;
    this.rules = { notBefore: NOT_BEFORE, notAfter: form.thisUpdate, mayRemove };
  }

  /** @throws DomainError `ca.request_refused` for anything but whole entries in order, or for more than were claimed. */
  take(part: Uint8Array): void {
    this.bytes += part.length;
    if (part.length === 0 || this.bytes > this.claimed.bytes) throw refused('other entries than were claimed');
    try {
      this.read = readCrlEntries(part, this.read, this.rules);
    } catch (cause) {
      throw refused(cause instanceof DomainError ? (cause.detail ?? 'malformed entries') : 'malformed entries', cause);
    }
    this.hash.update(part);
  }

  /** @throws DomainError `ca.request_refused` unless all that was claimed has arrived, and nothing else. */
  close(): void {
    const { count, bytes, sha256 } = this.claimed;
    if (this.read.count !== count || this.bytes !== bytes || this.hash.digest('hex') !== sha256) {
      throw refused('other entries than were claimed');
    }
  }
}

function refused(detail: string, cause?: unknown): DomainError {
  return new DomainError('ca.request_refused', { detail, ...(cause === undefined ? {} : { cause }) });
}
