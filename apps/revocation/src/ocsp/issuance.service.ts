import { Injectable } from '@nestjs/common';
import { certificateGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { SerialNumber } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { OcspResponses } from './ocsp-responses.repository.js';

const ASK_TIMEOUT_MS = 1_000;
/** How many questions lie with fleet-ca at a time: what strangers make up must not keep it from signing. */
const MAX_ASKED = 8;
const REMEMBER_MS = 30_000;
const MAX_REMEMBERED = 10_000;

/** What is known of a serial number that no event has told of. */
export type Issuance = 'issued' | 'never' | 'unclear';

/** Asks fleet-ca, which signed whatever there is, about serial numbers that are unknown here; remembers for a while what was never issued. */
@Injectable()
export class IssuanceService {
  private readonly never = new Map<string, number>();
  private asked = 0;

  constructor(
    private readonly responses: OcspResponses,
    private readonly nats: Nats,
  ) {}

  /** @param nowMs monotonic. */
  async of(issuerKeyId: string, serialNumber: SerialNumber, nowMs: number): Promise<Issuance> {
    const name = `${issuerKeyId}-${serialNumber}`;
    if (nowMs < (this.never.get(name) ?? 0)) return 'never';
    if (this.asked >= MAX_ASKED) return 'unclear';
    this.asked += 1;
    try {
      const { ref } = await this.nats.request(certificateGet, { serialNumber }, { timeoutMs: ASK_TIMEOUT_MS });
      if (ref.issuerKeyId !== issuerKeyId) return this.remember(name, nowMs);
      // Its event is on the way. What it would be revoked for at once, it is not called good for meanwhile.
      return (await this.responses.isTouched(ref)) ? 'unclear' : 'issued';
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return error.code === 'ca.certificate_unknown' ? this.remember(name, nowMs) : 'unclear';
    } finally {
      this.asked -= 1;
    }
  }

  private remember(name: string, nowMs: number): 'never' {
    this.never.delete(name);
    this.never.set(name, nowMs + REMEMBER_MS);
    for (const [oldest] of this.never) {
      if (this.never.size <= MAX_REMEMBERED) break;
      this.never.delete(oldest);
    }
    return 'never';
  }
}
