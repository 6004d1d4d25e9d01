import { Injectable } from '@nestjs/common';
import { type CrlSignRequest, crlDraftRead } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Nats } from '@outrider/platform/nats';

const PART_TIMEOUT_MS = 5000;
/** NATS takes an answer to the request for the whole list for a minute. */
const WHOLE_TIMEOUT_MS = 50_000;
/** Lists that are read at once; each holds two parts of 256 KiB. */
const READ_AT_ONCE = 4;

/** The entries of a list that is to be signed, from whichever replica of revocation answers: a slow or vanished one is given up. */
@Injectable()
export class DraftEntries {
  private reading = 0;

  constructor(private readonly nats: Nats) {}

  /** @throws DomainError `service.overloaded`, `service.upstream_unavailable`, `ca.request_refused` */
  async *read({ draft, entries }: CrlSignRequest): AsyncGenerator<Uint8Array> {
    if (this.reading >= READ_AT_ONCE) throw new DomainError('service.overloaded', { retryAfterSeconds: 5 });
    this.reading += 1;
    try {
      const deadline = performance.now() + WHOLE_TIMEOUT_MS;
      let left = entries.bytes;
      let next = this.part(draft, 0, deadline);
      for (let part = 1; left > 0; part += 1) {
        const bytes = await next;
        if (bytes.length === 0) throw new DomainError('ca.request_refused', { detail: 'an empty part of a draft' });
        left -= bytes.length;
        // Asked for while this one is looked at.
        if (left > 0) next = this.part(draft, part, deadline);
        yield bytes;
      }
    } finally {
      this.reading -= 1;
    }
  }

  private part(draft: string, part: number, deadline: number): Promise<Uint8Array> {
    const timeoutMs = Math.min(PART_TIMEOUT_MS, deadline - performance.now());
    if (timeoutMs <= 0)
      return refusal(new DomainError('service.upstream_unavailable', { detail: 'the draft is late' }));
    const bytes = this.nats
      .request(crlDraftRead, { draft, part }, { timeoutMs })
      .then(({ entries }) => Buffer.from(entries, 'base64'));
    // Nobody waits for it any more where the part before it was refused.
    bytes.catch(() => undefined);
    return bytes;
  }
}

function refusal(error: DomainError): Promise<never> {
  const refused = Promise.reject(error);
  refused.catch(() => undefined);
  return refused;
}
