import { Inject, Injectable } from '@nestjs/common';
import { sha256Base64url, signDer } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { SerialNumber } from '@outrider/ids';
import { CONFIG, LOGGER, Metrics, Schedule } from '@outrider/platform/service';
import {
  createOcspRequest,
  createOcspResponse,
  encodeOcspCertId,
  type OcspCertId,
  type OcspCertStatus,
  type OcspFailure,
  type OcspRequest,
  ocspFailure,
  type ParsedCertificate,
  parseOcspRequest,
} from '@outrider/x509';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { AnswerCache } from './answer-cache.js';
import { IssuanceService } from './issuance.service.js';
import { isCurrent, type OcspTimes, refreshAt, saysTheSame, statusOf, timesFrom } from './ocsp.js';
import { OcspResponses, type StoredResponse } from './ocsp-responses.repository.js';
import { type OcspSigner, OcspSigners } from './ocsp-signers.service.js';
import { Rate } from './rate.js';
import { StatusChanges } from './status-changes.listener.js';

/** A kilobyte each, and as much again around it. */
const MAX_ANSWERS = 20_000;
const MAX_UNDER_WAY = 256;
/** How many answers are signed anew as soon as a change is told; of more, each when it is asked for. */
const MAX_AT_ONCE = 100;
/** What was never issued may be issued yet. */
const UNKNOWN_SECONDS = 60;
const PURGE_EVERY_MS = 60_000;
const PURGE_LIMIT = 5_000;
const PURGE_AFTER_MS = 3_600_000;

/** An answer with a life: the same for everyone who asks in these bytes. */
export interface LastingAnswer {
  readonly certificate: string;
  readonly times: OcspTimes;
  readonly refreshAtMs: number;
  readonly nextUpdateMs: number;
  readonly der: Buffer;
  /** Quoted. */
  readonly etag: string;
}

/** An answer for this asker and moment: a failure, `unknown`, or one that repeats a nonce. */
export interface PassingAnswer {
  readonly der: Uint8Array;
}

export type OcspAnswer = LastingAnswer | PassingAnswer;

/** One certificate that is asked about, of an issuer that is ours. */
interface Asked {
  readonly issuer: ParsedCertificate;
  readonly certId: OcspCertId;
}

/** Answers who asks what has become of a certificate: from memory, from PostgreSQL, or signed now. */
@Injectable()
export class OcspService {
  private readonly cache = new AnswerCache<LastingAnswer>(MAX_ANSWERS);
  private readonly underWay = new Map<string, Promise<OcspAnswer>>();
  private readonly onDemand: Rate;
  private busy = 0;
  private readonly answers;
  private readonly fromMemoryTotal;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly signers: OcspSigners,
    private readonly responses: OcspResponses,
    private readonly issuance: IssuanceService,
    private readonly changes: StatusChanges,
    schedule: Schedule,
    metrics: Metrics,
  ) {
    this.onDemand = new Rate(config.ocsp.signaturesPerSecond);
    this.fromMemoryTotal = metrics.counter('outrider_ocsp_memory_answers_total', 'OCSP answers from memory.');
    const help = 'OCSP answers that were not in memory: from PostgreSQL, signed now, or failures by their name.';
    this.answers = metrics.counter('outrider_ocsp_answers_total', help, ['answer']);
    changes.events.on('changed', (changed) => {
      const requests = changed.flatMap(({ issuerKeyId, serialNumber }) =>
        this.cache.changed(`${issuerKeyId}-${serialNumber}`),
      );
      for (const request of requests.slice(0, MAX_AT_ONCE)) void this.answer(Buffer.from(request, 'latin1'));
    });
    // Not as soon as the connection is lost: while PostgreSQL is away, what is in memory is all there is.
    changes.events.on('resumed', () => this.cache.clear());
    schedule.every(PURGE_EVERY_MS, 'old OCSP answers could not be purged', () =>
      this.responses.purge(new Date(Date.now() - PURGE_AFTER_MS), PURGE_LIMIT),
    );
  }

  /** At once, or undefined. Past the half of its life an answer is replaced behind the asker's back. */
  fromMemory(request: Buffer, nowMs: number): LastingAnswer | undefined {
    const name = request.toString('latin1');
    const answer = this.cache.get(name);
    if (answer === undefined || nowMs >= answer.nextUpdateMs) return undefined;
    if (nowMs >= answer.refreshAtMs && !this.underWay.has(name)) void this.answer(request);
    this.fromMemoryTotal.inc();
    return answer;
  }

  /** Never throws: whatever is wrong is an answer of OCSP. */
  async answer(bytes: Buffer): Promise<OcspAnswer> {
    if (this.busy >= MAX_UNDER_WAY) return this.failure('tryLater');
    this.busy += 1;
    try {
      return await this.answerTo(parseOcspRequest(bytes));
    } catch (error) {
      if (error instanceof DomainError && error.code === 'x509.malformed') return this.failure('malformedRequest');
      if (error instanceof DomainError) return this.failure('tryLater');
      this.logger.error({ err: error }, 'an OCSP request could not be answered');
      return this.failure('internalError');
    } finally {
      this.busy -= 1;
    }
  }

  /** By SHA-1, as clients that read staples compare them. */
  answerAbout(issuer: ParsedCertificate, serialNumber: SerialNumber): Promise<OcspAnswer> {
    return this.answer(Buffer.from(createOcspRequest([encodeOcspCertId(issuer, serialNumber)])));
  }

  failure(failure: OcspFailure): PassingAnswer {
    this.answers.inc({ answer: failure });
    return { der: ocspFailure(failure) };
  }

  /** RFC 9654 lets a responder leave a nonce out; that is better than no answer once the signatures of this second are used up. */
  private async answerTo({ certIds, nonce }: OcspRequest): Promise<OcspAnswer> {
    const index = this.signers.issuers();
    const asked = certIds.flatMap((certId) => {
      const issuer = index.find(certId);
      return issuer ? [{ issuer, certId }] : [];
    });
    const [only] = asked;
    // RFC 5019 §2.2.3. The answer to several has one signature: of several issuers it would be somebody else's word.
    const isForeign = asked.length < certIds.length || asked.some(({ issuer }) => issuer !== only?.issuer);
    if (only === undefined || isForeign) return this.failure('unauthorized');
    const afresh = nonce !== undefined || asked.length > 1;
    if (!afresh) return this.alone(only);
    if (this.onDemand.take(performance.now())) return this.afresh(only.issuer, asked, nonce);
    return asked.length === 1 ? this.alone(only) : this.failure('tryLater');
  }

  /** One reading and one signature, however many ask the same at once. */
  private alone(asked: Asked): Promise<OcspAnswer> {
    const request = Buffer.from(createOcspRequest([asked.certId.der])).toString('latin1');
    const underWay =
      this.underWay.get(request) ?? this.settle(request, asked).finally(() => this.underWay.delete(request));
    this.underWay.set(request, underWay);
    return underWay;
  }

  private async settle(request: string, asked: Asked): Promise<OcspAnswer> {
    const { isFollowing } = this.changes;
    const { mark } = this.cache;
    const { standing, stored } = await this.responses.look(nameOf(asked));
    const status = statusOf(standing);
    if (status.status === 'unknown') return this.unknown(asked);
    const now = new Date();
    const usable = stored && saysTheSame(stored.certificate, status) && isCurrent(stored, now) ? stored : undefined;
    const response = usable && now < refreshAt(usable) ? usable : ((await this.sign(asked, status, now)) ?? usable);
    if (response === undefined) return this.failure('tryLater');
    if (response === usable) this.answers.inc({ answer: 'stored' });
    const answer = lasting(`${nameOf(asked).issuerKeyId}-${asked.certId.serialNumber}`, response);
    if (isFollowing) this.cache.put(request, answer, mark);
    return answer;
  }

  /** Kept for the other replicas; undefined without a signer. */
  private async sign(asked: Asked, certificate: OcspCertStatus, now: Date): Promise<StoredResponse | undefined> {
    const signer = this.signers.signerOf(asked.issuer, now);
    if (signer === undefined) return undefined;
    const times = timesFrom(now, this.config.ocsp.validitySeconds, signer.certificate.notAfter);
    const der = respond(signer, now, [{ certId: asked.certId.der, certificate, ...times }]);
    const response = { certificate, ...times, der };
    this.answers.inc({ answer: 'signed' });
    await this.responses.save(nameOf(asked), response).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'an OCSP answer could not be kept');
    });
    return response;
  }

  private async unknown(asked: Asked): Promise<OcspAnswer> {
    const status = await this.unseen(asked);
    if (typeof status === 'string') return this.failure(status);
    if (!this.onDemand.take(performance.now())) return this.failure('tryLater');
    return this.passing(asked.issuer, [{ asked, status }], undefined);
  }

  private async afresh(
    issuer: ParsedCertificate,
    all: readonly Asked[],
    nonce: Uint8Array | undefined,
  ): Promise<OcspAnswer> {
    const settled: { asked: Asked; status: OcspCertStatus }[] = [];
    for (const asked of all) {
      const known = statusOf((await this.responses.look(nameOf(asked))).standing);
      const status = known.status === 'unknown' ? await this.unseen(asked) : known;
      if (typeof status === 'string') return this.failure(status);
      settled.push({ asked, status });
    }
    return this.passing(issuer, settled, nonce);
  }

  /** Of a certificate that no event has told of. */
  private async unseen({ issuer, certId }: Asked): Promise<OcspCertStatus | 'unauthorized' | 'tryLater'> {
    // Nobody lists the certificates of services: those that were never seen may yet be there.
    if (this.signers.isInfrastructure(issuer)) return 'unauthorized';
    const issuance = await this.issuance.of(issuer.subjectKeyId ?? '', certId.serialNumber, performance.now());
    if (issuance === 'unclear') return 'tryLater';
    return { status: issuance === 'issued' ? 'good' : 'unknown' };
  }

  private passing(
    issuer: ParsedCertificate,
    settled: readonly { asked: Asked; status: OcspCertStatus }[],
    nonce: Uint8Array | undefined,
  ): PassingAnswer {
    const now = new Date();
    const signer = this.signers.signerOf(issuer, now);
    if (signer === undefined) return this.failure('tryLater');
    const singles = settled.map(({ asked, status: certificate }) => {
      const seconds = certificate.status === 'unknown' ? UNKNOWN_SECONDS : this.config.ocsp.validitySeconds;
      return { certId: asked.certId.der, certificate, ...timesFrom(now, seconds, signer.certificate.notAfter) };
    });
    this.answers.inc({
      answer: settled.length === 1 && settled[0]?.status.status === 'unknown' ? 'unknown' : 'signed',
    });
    return { der: respond(signer, now, singles, nonce) };
  }
}

function respond(
  { key, certificate }: OcspSigner,
  producedAt: Date,
  responses: Parameters<typeof createOcspResponse>[0]['responses'],
  nonce?: Uint8Array,
): Uint8Array {
  return createOcspResponse({ responder: certificate, producedAt, responses, nonce }, (tbs) => signDer(key, tbs));
}

function nameOf({ issuer, certId }: Asked) {
  return { issuerKeyId: issuer.subjectKeyId ?? '', serialNumber: certId.serialNumber, certId: certId.der };
}

function lasting(certificate: string, { thisUpdate, nextUpdate, der }: StoredResponse): LastingAnswer {
  const times = { thisUpdate, nextUpdate };
  return {
    certificate,
    times,
    refreshAtMs: refreshAt(times).getTime(),
    nextUpdateMs: nextUpdate.getTime(),
    der: Buffer.from(der),
    etag: `"${sha256Base64url(der).slice(0, 22)}"`,
  };
}
