import { Injectable } from '@nestjs/common';
import { JWS_TYP } from '@outrider/crypto';
import { ServiceIdentity } from '@outrider/platform/nats';
import { Metrics } from '@outrider/platform/service';
import type { Sender } from '../ingest/sender.js';
import { type Answered, describeReceipt } from './describe-receipt.js';

/** Signs what was answered, after the commit, with the service's identity (docs/protocols/telemetry-reading.md). */
@Injectable()
export class Receipts {
  private readonly signed;

  constructor(
    private readonly identity: ServiceIdentity,
    metrics: Metrics,
  ) {
    this.signed = metrics.counter('outrider_telemetry_receipts_total', 'Receipts signed.');
  }

  /** A compact JWS `outrider-receipt+jws`. */
  sign(sender: Sender, answered: Answered): string {
    this.signed.inc();
    return this.identity.sign(JWS_TYP.receipt, describeReceipt(sender, answered, new Date()));
  }
}
