/** A small signer in fleet-ca's place, on the real NATS under its user. */
import { randomBytes } from 'node:crypto';
import { type CertificateSignItem, CertificatesSignRequest, certificatesSign } from '@outrider/contracts';
import { JWS_TYP, parseJws, signDer, verificationKey, verifyJws } from '@outrider/crypto';
import { deviceSpiffeId, SerialNumber } from '@outrider/ids';
import { type TestFleet, type TestNats, TRUST_DOMAIN } from '@outrider/testing';
import {
  issueCertificate,
  OID,
  type ParsedCertificate,
  parseCertificate,
  parseCertificationRequest,
} from '@outrider/x509';

export interface Signer {
  /** Every certificate signed, by request id. */
  readonly signed: Map<string, ParsedCertificate>;
  /** How many each request asked for. */
  readonly groups: number[];
  /** Devices whose certificates fail the lint. */
  readonly refused: Set<string>;
  /** Runs before an answer goes out. */
  beforeAnswer: () => Promise<void>;
  stop(): Promise<void>;
}

/** Signs as fleet-ca does: a request by our service's key, the same request id gets the same certificate, one refusal is one item's. */
export async function startSigner(fleet: TestFleet, nats: TestNats): Promise<Signer> {
  const connection = await nats.connectAs('fleet-ca');
  const subscription = connection.subscribe(certificatesSign.subject);
  const working = new Map<string, Promise<ParsedCertificate>>();
  const signer: Signer = {
    signed: new Map(),
    groups: [],
    refused: new Set(),
    beforeAnswer: async () => undefined,
    stop: () => connection.close(),
  };
  async function signOne(item: CertificateSignItem) {
    const { requestId, deviceId } = item;
    if (deviceId && signer.refused.has(deviceId))
      return { requestId, code: 'ca.lint_failed', detail: 'refused by the test' };
    const issued = working.get(requestId) ?? signVehicle(fleet, item);
    working.set(requestId, issued);
    const certificate = await issued;
    signer.signed.set(requestId, certificate);
    return {
      requestId,
      certificate: Buffer.from(certificate.der).toString('base64'),
      chain: [Buffer.from(fleet.vehicleCa.certificate.der).toString('base64')],
      ref: {
        deviceId,
        issuerKeyId: fleet.vehicleCa.certificate.subjectKeyId,
        serialNumber: certificate.serialNumber,
        thumbprint: certificate.thumbprint,
        keyThumbprint: certificate.keyThumbprint,
        notBefore: certificate.notBefore.toISOString(),
        notAfter: certificate.notAfter.toISOString(),
      },
    };
  }
  void (async () => {
    for await (const msg of subscription) {
      void (async () => {
        const { items } = readSignRequest(certificatesSign.payload.parse(msg.json()).request);
        signer.groups.push(items.length);
        const signed = await Promise.all(items.map(signOne));
        await signer.beforeAnswer();
        msg.respond(JSON.stringify({ ok: { items: signed } }));
      })().catch((error: unknown) => {
        msg.respond(JSON.stringify({ error: { code: 'ca.request_refused', detail: String(error) } }));
      });
    }
  })();
  return signer;
}

function readSignRequest(compact: string): CertificatesSignRequest {
  const jws = parseJws(compact, 1_048_576);
  const [leaf] = jws.header.x5c as string[];
  const service = parseCertificate(leaf as string);
  const verdict = verifyJws(jws, verificationKey(service.spkiDer), { typ: JWS_TYP.request, allowedHeaders: ['x5c'] });
  if (!verdict.ok || service.subjectCommonName !== 'provisioning') throw new Error('not a request of provisioning');
  return CertificatesSignRequest.parse(JSON.parse(Buffer.from(jws.payload).toString()));
}

function signVehicle(fleet: TestFleet, request: CertificateSignItem): Promise<ParsedCertificate> {
  const deviceId = request.deviceId;
  if (!deviceId) throw new Error('no device');
  const now = Date.now();
  return issueCertificate(
    {
      profile: 'vehicle',
      serialNumber: SerialNumber.parse(`7${randomBytes(16).toString('hex').slice(1)}`),
      subject: [{ type: OID.commonName, value: deviceId }],
      spkiDer: parseCertificationRequest(request.csr).spkiDer,
      notBefore: new Date(now - 60_000),
      notAfter: new Date(now + (request.lifetimeSeconds ?? 3600) * 1000),
      sanUri: deviceSpiffeId(TRUST_DOMAIN, deviceId),
      crlUrl: 'http://127.0.0.1:9105/crl/0.crl',
      ocspUrl: 'http://127.0.0.1:9105/ocsp',
    },
    fleet.vehicleCa.certificate,
    (tbs) => signDer(fleet.vehicleCa.privateKey, tbs),
  );
}
