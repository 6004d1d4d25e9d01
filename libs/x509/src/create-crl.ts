/** Writes certificate revocation lists (RFC 5280 §5): full version 2 lists, each with the scope it is complete for. */
import type { SerialNumber } from '@outrider/ids';
import { TAG } from './der-read.js';
import {
  bitString,
  contextConstructed,
  contextPrimitive,
  integer,
  sequence,
  time,
  unsignedInteger,
} from './der-write.js';
import { type CertificateIssuer, extension, issuerKeyId, type SignTbs } from './issue-certificate.js';
import { OID } from './oids.js';
import { encodeSignatureAlgorithm, keyAlgorithmOf, signatureAlgorithmFor } from './public-key.js';

/** CRLReason of RFC 5280 §5.3.1, by number (7 is unused). */
export const CRL_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;
export type CrlReason = keyof typeof CRL_REASONS;

export interface RevokedEntry {
  readonly serialNumber: SerialNumber;
  readonly revokedAt: Date;
  /** `unspecified` is written as no reason at all, as §5.3.1 asks. */
  readonly reason?: CrlReason | undefined;
}

export interface CrlDescription {
  readonly issuer: CertificateIssuer;
  /** Only ever grows for one issuer and scope (§5.2.3). */
  readonly crlNumber: number | bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly revoked: readonly RevokedEntry[];
  /** URL of the issuing distribution point: the shard that this list is complete for, as its certificates name it. */
  readonly distributionPoint?: string | undefined;
}

/** DER of a signed full CRL: AKI, CRL number, and a critical IDP when it covers one shard alone. */
export async function createCrl(description: CrlDescription, sign: SignTbs): Promise<Uint8Array> {
  const { issuer, revoked, distributionPoint } = description;
  const algorithm = signatureAlgorithmFor(keyAlgorithmOf(issuer.spkiDer));
  const aki = sequence(contextPrimitive(0, issuerKeyId(issuer)));
  const extensions = [
    extension(OID.authorityKeyIdentifier, 'non-critical', aki),
    extension(OID.crlNumber, 'non-critical', integer(description.crlNumber)),
  ];
  if (distributionPoint !== undefined) {
    const fullName = contextConstructed(0, contextPrimitive(6, Buffer.from(distributionPoint, 'latin1')));
    const scope = sequence(contextConstructed(0, fullName));
    extensions.push(extension(OID.issuingDistributionPoint, 'critical', scope));
  }
  const tbs = sequence(
    integer(1),
    encodeSignatureAlgorithm(algorithm),
    issuer.subject.der,
    time(description.thisUpdate),
    time(description.nextUpdate),
    // §5.1.2.6: absent, not empty, when nothing is revoked.
    ...(revoked.length > 0 ? [sequence(...revoked.map(encodeEntry))] : []),
    contextConstructed(0, sequence(...extensions)),
  );
  return sequence(tbs, encodeSignatureAlgorithm(algorithm), bitString(await sign(tbs)));
}

function encodeEntry(entry: RevokedEntry): Uint8Array {
  const serial = unsignedInteger(Buffer.from(entry.serialNumber, 'hex'));
  const { reason = 'unspecified' } = entry;
  if (reason === 'unspecified') return sequence(serial, time(entry.revokedAt));
  const code = integer(CRL_REASONS[reason], TAG.enumerated);
  return sequence(serial, time(entry.revokedAt), sequence(extension(OID.reasonCode, 'non-critical', code)));
}
