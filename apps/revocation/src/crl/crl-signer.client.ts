import { Injectable } from '@nestjs/common';
import { type CrlSignRequest, crlSign } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { TrustFiles } from '@outrider/platform/service';
import { type CrlForm, deltaCrlUrl, signatureCheck, type TbsAround, tbsAround } from '@outrider/x509';
import type { CrlPlan } from './crl.js';
import { Crls } from './crl.repository.js';
import type { WrittenDraft } from './crl-drafts.service.js';
import { signedAround } from './signed-around.js';

const TIMEOUT_MS = 5000;
/** fleet-ca reads a long list before it signs it, for 50 s at most. */
const LONG_TIMEOUT_MS = 55_000;

/** Has fleet-ca sign a list, and looks at what came back: nothing is published that says anything but what was asked for. */
@Injectable()
export class CrlSigner {
  constructor(
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
    private readonly trust: TrustFiles,
    private readonly crls: Crls,
  ) {}

  async sign(plan: CrlPlan, request: CrlSignRequest, { only, parts }: WrittenDraft): Promise<TbsAround> {
    const inline = only && only.length > 0 ? { entries: Buffer.from(only).toString('base64') } : {};
    const timeoutMs = only ? TIMEOUT_MS : LONG_TIMEOUT_MS;
    const signed = await this.nats.request(
      crlSign,
      { request: this.identity.signRequest(request), ...inline },
      { timeoutMs },
    );
    const around = { head: Buffer.from(signed.head, 'base64'), tail: Buffer.from(signed.tail, 'base64') };
    await this.check(plan, request, around, parts);
    return around;
  }

  /** By the parts as they lie in the database, where they are served from. @throws DomainError `service.upstream_invalid` */
  private async check(plan: CrlPlan, request: CrlSignRequest, around: TbsAround, parts: number): Promise<void> {
    const issuer = this.trust.vehicleCa.find(({ subjectKeyId }) => subjectKeyId === request.issuerKeyId);
    // A generation that is retired, and in no bundle, is known to fleet-ca alone, which has verified what it signed.
    if (issuer === undefined) return;
    const form: CrlForm = {
      issuer,
      crlNumber: request.number,
      baseCrlNumber: request.baseNumber,
      thisUpdate: new Date(request.thisUpdate),
      nextUpdate: new Date(request.nextUpdate),
      distributionPoint: request.distributionPoint,
      freshestCrl: request.hasDeltas ? deltaCrlUrl(plan.baseUrl, plan.shard, plan.issuer.prefix) : undefined,
    };
    const tbs = tbsAround(form, request.entries.bytes);
    const signature = signedAround(around, form, tbs, request.entries.bytes);
    if (signature === undefined) throw invalid('fleet-ca signed another list');
    const check = signatureCheck(issuer.spkiDer);
    check.update(tbs.head);
    for (let part = 0; part < parts; part += 1) {
      check.update((await this.crls.part(request.draft, part)) ?? new Uint8Array());
    }
    check.update(tbs.tail);
    if (!check.holds(signature)) throw invalid('the signature of a list does not hold');
  }
}

function invalid(detail: string): DomainError {
  return new DomainError('service.upstream_invalid', { detail });
}
