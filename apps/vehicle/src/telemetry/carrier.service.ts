/** Makes the body of a telemetry request in the format that was asked for. */
import { keyAlgorithm } from '@outrider/crypto';
import type { Identity } from '../enrol/identity.js';
import type { KeyStore } from '../keys/key-store.js';
import { carry, type TelemetryFormat } from './carry.js';
import { telemetryBody } from './message.js';
import type { QueuedRecord } from './queue.store.js';

export interface TelemetryBody {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

export class CarrierService {
  constructor(
    private readonly keys: KeyStore,
    private readonly format: TelemetryFormat = 'json',
  ) {}

  /** JSON goes out as it was signed when it was sampled; the others are signed now, by the key of the connection. */
  async body(records: readonly QueuedRecord[], { thumbprint, keyName }: Identity): Promise<TelemetryBody> {
    if (this.format === 'json') {
      return { contentType: 'application/json', body: telemetryBody(records, thumbprint) };
    }
    const algorithm = keyAlgorithm(await this.keys.publicKey(keyName));
    if (!algorithm) throw new Error(`the key ${keyName} signs no telemetry`);
    const { contentType, messages, join } = carry(this.format, records, algorithm, Math.floor(Date.now() / 1000));
    const signed: Uint8Array[] = [];
    for (const { toBeSigned, complete } of messages) signed.push(complete(await this.keys.sign(keyName, toBeSigned)));
    return { contentType, body: join(signed) };
  }
}
