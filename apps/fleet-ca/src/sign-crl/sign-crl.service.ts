import { Inject, Injectable } from '@nestjs/common';
import { CrlSignRequest } from '@outrider/contracts';
import { sha256Hex } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, Metrics } from '@outrider/platform/service';
import { type CrlForm, crlAround, signatureCheck, type TbsAround, tbsAround } from '@outrider/x509';
import { Authorities } from '../authorities/authorities.service.js';
import { crlPrefix } from '../authorities/crl-prefix.js';
import type { Config } from '../config.js';
import { DeniedSubjects } from '../denylist/denied-subjects.service.js';
import type { CaKey } from '../keys/ca-key.js';
import { verifyRequest } from '../requester/verify-request.js';
import { decideCrl, type SignedBefore } from './decide-crl.js';
import { DraftEntries } from './draft-entries.client.js';
import { EntriesIntake } from './entries-intake.js';
import { SignedCrls } from './signed-crls.repository.js';

/** Signs lists of any length: what is not held whole is read, looked at entry by entry, and hashed as it goes by. */
@Injectable()
export class SignCrl {
  private readonly signed;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly authorities: Authorities,
    private readonly crls: SignedCrls,
    private readonly denied: DeniedSubjects,
    private readonly drafts: DraftEntries,
    private readonly database: Database,
    metrics: Metrics,
  ) {
    this.signed = metrics.counter('outrider_ca_crls_signed_total', 'Certificate revocation lists signed.');
  }

  /**
   * @param inline the entries, where they came with the request.
   * @returns what stands before and behind the entries in the signed list.
   */
  async sign(compactJws: string, inline: Uint8Array | undefined, now: Date): Promise<TbsAround> {
    const { trustDomain, requestMaxAgeSeconds: maxAgeSeconds, crl } = this.config;
    const infrastructureCas = this.authorities.trusted('infrastructure-ca');
    const trust = { infrastructureCas, trustDomain, maxAgeSeconds, now };
    const { requester, certificate: asking, payload } = verifyRequest(compactJws, CrlSignRequest, trust);
    await this.denied.checkRequester(asking, now);
    const issuer = this.authorities.byKeyId(payload.issuerKeyId);
    const { certificate, key } = issuer;
    const place = { ...crl, prefix: crlPrefix(issuer) };
    const { iat: _, ...asked } = payload;
    const requestSha256 = sha256Hex(JSON.stringify(asked));
    const decide = (before: SignedBefore) =>
      decideCrl(requester, payload, requestSha256, before, certificate, place, now);
    const form = decide(await this.crls.before(this.database, payload));
    const message = new Message(form, payload.entries.bytes, key);
    await this.readEntries(payload, inline, form, message);
    // No transaction waits for revocation: the number is looked at again, under the lock, when all has been read.
    const around = await this.database.transaction(async (tx) => {
      await this.crls.lock(tx, payload.distributionPoint);
      const before = await this.crls.before(tx, payload);
      decide(before);
      const signed = await message.sign();
      if (before.last?.number !== payload.number) await this.crls.add(tx, payload, requestSha256, now);
      return signed;
    });
    this.signed.inc();
    return around;
  }

  private async readEntries(
    request: CrlSignRequest,
    inline: Uint8Array | undefined,
    form: CrlForm,
    message: Message,
  ): Promise<void> {
    const intake = new EntriesIntake(request.entries, form);
    const take = (part: Uint8Array) => {
      intake.take(part);
      message.update(part);
    };
    if (inline) take(inline);
    else if (request.entries.bytes > 0) for await (const part of this.drafts.read(request)) take(part);
    intake.close();
  }
}

/** The tbsCertList as it goes by. */
class Message {
  private readonly tbs: TbsAround;
  private readonly signature;
  private readonly check;

  constructor(
    private readonly form: CrlForm,
    private readonly entriesBytes: number,
    key: CaKey,
  ) {
    this.tbs = tbsAround(form, entriesBytes);
    this.signature = key.signParts();
    this.check = signatureCheck(form.issuer.spkiDer);
    this.update(this.tbs.head);
  }

  update(part: Uint8Array): void {
    this.signature.update(part);
    this.check.update(part);
  }

  /** @throws DomainError `ca.signature_wrong`, `ca.key_unavailable` */
  async sign(): Promise<TbsAround> {
    this.update(this.tbs.tail);
    const signature = await this.signature.finish();
    // A list that a verifier cannot use is worse than an error here.
    if (!this.check.holds(signature)) {
      throw new DomainError('ca.signature_wrong', { detail: 'what the key returned is not its signature' });
    }
    return crlAround(this.form, this.tbs, this.entriesBytes, signature);
  }
}
