/** In fleet-ca's place where lists are signed: takes requests by revocation's key, reads what is too long to come with them. */
import type { NatsConnection } from '@nats-io/transport-node';
import { CrlSignRequest, crlDraftRead, crlSign } from '@outrider/contracts';
import { JWS_TYP, parseJws, signDer, verificationKey, verifyJws } from '@outrider/crypto';
import type { TestFleet } from '@outrider/testing';
import { type CrlForm, crlAround, deltaCrlUrl, parseCertificate, tbsAround } from '@outrider/x509';

/** @param requests every request that was answered is put there. */
export function answerCrls(connection: NatsConnection, fleet: TestFleet, requests: CrlSignRequest[]): void {
  connection.subscribe(crlSign.subject, {
    callback: (_error, msg) => {
      const { request: compact, entries } = crlSign.payload.parse(msg.json());
      const request = requestOf(compact);
      void signed(connection, fleet, request, entries).then((ok) => {
        requests.push(request);
        msg.respond(JSON.stringify({ ok }));
      });
    },
  });
}

function requestOf(compact: string): CrlSignRequest {
  const jws = parseJws(compact, 1_048_576);
  const [leaf] = jws.header.x5c as string[];
  const key = verificationKey(parseCertificate(leaf ?? '').spkiDer);
  const verdict = verifyJws(jws, key, { typ: JWS_TYP.request, allowedHeaders: ['x5c'] });
  if (!verdict.ok) throw new Error(`the CRL request: ${verdict.reason}`);
  return CrlSignRequest.parse(JSON.parse(Buffer.from(jws.payload).toString()));
}

async function signed(
  connection: NatsConnection,
  { vehicleCa }: TestFleet,
  request: CrlSignRequest,
  inline: string | undefined,
): Promise<{ head: string; tail: string }> {
  const parts = inline === undefined ? [] : [Buffer.from(inline, 'base64')];
  const { bytes, sha256: _ } = request.entries;
  for (let read = length(parts); read < bytes; read = length(parts)) {
    const ask = JSON.stringify({ draft: request.draft, part: parts.length });
    const reply = await connection.request(crlDraftRead.subject, ask, { timeout: 20_000 });
    const { ok } = reply.json<{ ok: { entries: string } }>();
    parts.push(Buffer.from(ok.entries, 'base64'));
  }
  const [, prefix = '', shard = ''] = /\/([0-9a-f]{16}-)?(\d+)\.crl$/.exec(request.distributionPoint) ?? [];
  const base = request.distributionPoint.slice(0, request.distributionPoint.lastIndexOf('/'));
  const form: CrlForm = {
    issuer: vehicleCa.certificate,
    crlNumber: request.number,
    baseCrlNumber: request.baseNumber,
    thisUpdate: new Date(request.thisUpdate),
    nextUpdate: new Date(request.nextUpdate),
    distributionPoint: request.distributionPoint,
    freshestCrl: request.hasDeltas ? deltaCrlUrl(base, Number(shard), prefix) : undefined,
  };
  const tbs = tbsAround(form, bytes);
  const signature = signDer(vehicleCa.privateKey, Buffer.concat([tbs.head, ...parts, tbs.tail]));
  const { head, tail } = crlAround(form, tbs, bytes, signature);
  return { head: Buffer.from(head).toString('base64'), tail: Buffer.from(tail).toString('base64') };
}

function length(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
