/** Enrols and renews over EST (RFC 7030): one attempt a call, safe to repeat after any failure or crash. */
import { DomainError, isErrorCode } from '@outrider/errors';
import { Later } from '../agent/link.service.js';
import { VehicleClient } from '../http/vehicle.client.js';
import type { KeyStore, KeyType } from '../keys/key-store.js';
import type { RequestTracer } from '../trace/tracer.client.js';
import { factoryDeviceHint, type Identity, readEnrolment } from './identity.js';
import { type IdentityStore, type PendingEnrolment, readFactoryIdentity } from './identity.store.js';

export interface EnrolOptions {
  /** Origin of provisioning's vehicle listener. */
  readonly provisioning: string;
  /** PEM, as it is now. */
  readonly serverTrust: () => string;
  readonly factoryDirectory: string;
  readonly keyType: KeyType;
  /** EST label to enrol at; the platform's default where there is none. */
  readonly estLabel?: string | undefined;
  readonly tracer?: RequestTracer | undefined;
}

export class EnrolService {
  constructor(
    private readonly keys: KeyStore,
    private readonly store: IdentityStore,
    private readonly options: EnrolOptions,
  ) {}

  /** With the factory certificate: the first time, and when the fleet certificate has lapsed. Throws DomainError, Later or NetworkFailure. */
  async enrol(current: Identity | undefined, signal: AbortSignal): Promise<Identity> {
    const factory = await readFactoryIdentity(this.options.factoryDirectory);
    // At a label the platform may choose the name: what the factory called the vehicle is no hint there.
    const hint = current?.deviceId ?? (this.options.estLabel ? undefined : factoryDeviceHint(factory.certificate));
    const client = new VehicleClient(this.options.serverTrust(), factory, 'anchors', this.options.tracer);
    try {
      return await this.ask('simpleenroll', client, current, hint, signal);
    } finally {
      await client.close();
    }
  }

  /** Over the connections of the fleet certificate, for a new key. Throws DomainError or NetworkFailure. */
  renew(current: Identity, client: VehicleClient, signal: AbortSignal): Promise<Identity> {
    return this.ask('simplereenroll', client, current, current.deviceId, signal);
  }

  private async ask(
    operation: 'simpleenroll' | 'simplereenroll',
    client: VehicleClient,
    current: Identity | undefined,
    commonName: string | undefined,
    signal: AbortSignal,
  ): Promise<Identity> {
    const pending = await this.pending(current, commonName);
    const { provisioning, estLabel } = this.options;
    const path = estLabel === undefined ? operation : `${estLabel}/${operation}`;
    const answer = await client.send(`${provisioning}/.well-known/est/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/pkcs10', 'content-transfer-encoding': 'base64' },
      body: pending.request,
      timeoutMs: 20_000,
      signal,
    });
    // The same key and request again then: an operator approves this one and no other.
    if (answer.status === 202) throw new Later('est.pending', answer.retryAfterSeconds);
    if (answer.status !== 200) throw refusal(answer.status, answer.body, answer.retryAfterSeconds);
    const publicKey = await this.keys.publicKey(pending.keyName);
    const spkiDer = publicKey.export({ type: 'spki', format: 'der' });
    const certificate = readEnrolment(answer.body, spkiDer, Date.now());
    return await this.take(pending, certificate, current);
  }

  private async pending(current: Identity | undefined, commonName: string | undefined): Promise<PendingEnrolment> {
    const before = await this.store.pending();
    if (before && before.keyName !== current?.keyName) return before;
    const keyName = nextKeyName(current?.keyName);
    await this.keys.generate(keyName, this.options.keyType);
    const request = Buffer.from(await this.keys.certificationRequest(keyName, commonName)).toString('base64');
    const pending = { keyName, request };
    await this.store.savePending(pending);
    return pending;
  }

  private async take(pending: PendingEnrolment, certificate: string, current: Identity | undefined): Promise<Identity> {
    const { keyName } = pending;
    const previousKeyName = current?.keyName;
    const identity = await this.store.save({ keyName, previousKeyName, certificate, receivedAt: Date.now() });
    if (current?.previousKeyName) await this.keys.remove(current.previousKeyName);
    return identity;
  }
}

function nextKeyName(current: string | undefined): string {
  const number = Number(/^ldevid-(\d+)$/.exec(current ?? '')?.[1] ?? 0);
  return `ldevid-${number + 1}`;
}

/** EST errors are `text/plain`, `code: sentence`. */
function refusal(status: number, body: string, retryAfterSeconds: number | undefined): DomainError {
  const code = /^[a-z0-9_.]+/.exec(body)?.[0];
  const detail = `${status} ${body.trim().slice(0, 300)}`;
  const retry = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  if (isErrorCode(code)) return new DomainError(code, { detail, ...retry });
  const unavailable = status === 429 || status >= 500;
  return new DomainError(unavailable ? 'service.upstream_unavailable' : 'service.upstream_invalid', {
    detail,
    ...retry,
  });
}
