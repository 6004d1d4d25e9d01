import type { Server } from 'node:https';
import { Inject, Injectable } from '@nestjs/common';
import { stapleGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Nats } from '../nats/nats.client.js';
import { Metrics } from '../service/metrics.service.js';
import { LOGGER, type Logger } from '../service/runtime.provider.js';
import { Schedule } from '../service/schedule.service.js';
import { TrustFiles } from '../service/trust-files.service.js';

const LOOK_EVERY_MS = 5_000;
const TIMEOUT_MS = 2_000;

interface Staple {
  readonly der: Buffer;
  readonly refreshAtMs: number;
  readonly nextUpdateMs: number;
}

/**
 * OCSP answers about the certificates that this service's listeners show, given with the handshake to whoever asks (RFC 6066 §8, RFC 8446
 * §4.4.2.1). Fails soft: while there is none that is current, the handshake goes on without.
 */
@Injectable()
export class Staples {
  /** The files of the certificates that are shown. */
  private readonly shown = new Map<string, string>();
  /** By certificate, DER as latin1. */
  private readonly staples = new Map<string, Staple>();
  private readonly given;

  constructor(
    private readonly nats: Nats,
    private readonly trustFiles: TrustFiles,
    @Inject(LOGGER) private readonly logger: Logger,
    schedule: Schedule,
    metrics: Metrics,
  ) {
    this.given = metrics.counter(
      'outrider_ocsp_staples_total',
      'Handshakes that asked for a staple, by whether they got one.',
      ['given'],
    );
    const look = schedule.every(LOOK_EVERY_MS, 'the staples could not be refreshed', () => this.refresh());
    trustFiles.events.on('changed', look);
  }

  /** From now on `server`, which shows the certificate of these files, staples. */
  serve(server: Server, { certificateFile, keyFile }: { certificateFile: string; keyFile: string }): void {
    this.shown.set(certificateFile, keyFile);
    server.on(
      'OCSPRequest',
      (certificate: Buffer, _issuer: Buffer, respond: (error: null, der: Buffer | null) => void) => {
        const staple = this.staples.get(certificate.toString('latin1'));
        const isCurrent = staple !== undefined && Date.now() < staple.nextUpdateMs;
        this.given.inc({ given: isCurrent ? 'yes' : 'no' });
        respond(null, isCurrent ? staple.der : null);
      },
    );
  }

  private async refresh(): Promise<void> {
    const leaves = [...this.shown].flatMap(([file, key]) => this.trustFiles.keyPair(file, key).chain.slice(0, 1));
    const names = new Set(leaves.map(({ der }) => Buffer.from(der).toString('latin1')));
    for (const name of this.staples.keys()) if (!names.has(name)) this.staples.delete(name);
    for (const name of names) {
      if (Date.now() >= (this.staples.get(name)?.refreshAtMs ?? 0)) await this.fetch(name);
    }
  }

  private async fetch(name: string): Promise<void> {
    const certificate = Buffer.from(name, 'latin1').toString('base64');
    try {
      const answer = await this.nats.request(stapleGet, { certificate }, { timeoutMs: TIMEOUT_MS });
      this.staples.set(name, {
        der: Buffer.from(answer.staple, 'base64'),
        refreshAtMs: Date.parse(answer.refreshAt),
        nextUpdateMs: Date.parse(answer.nextUpdate),
      });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.logger.debug({ err: error }, 'no staple for the certificate of a listener');
    }
  }
}
