/** A CRL around its entries (RFC 5280 §5.1, §5.2): what stands before them and behind them, so that nobody has to hold the whole. */
import { TAG } from './der-read.js';
import { bitString, contextConstructed, contextPrimitive, header, integer, sequence, time } from './der-write.js';
import { type CertificateIssuer, extension, issuerKeyId } from './issue-certificate.js';
import { OID } from './oids.js';
import { encodeSignatureAlgorithm, keyAlgorithmOf, signatureAlgorithmFor } from './public-key.js';

export interface CrlForm {
  readonly issuer: CertificateIssuer;
  /** Only ever grows for one issuer and scope, whether a list is full or a delta (§5.2.3, §5.2.4). */
  readonly crlNumber: number | bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** URL of the issuing distribution point: the shard that this list is complete for, as its certificates name it. */
  readonly distributionPoint?: string | undefined;
  /** Makes it a delta: the number of the full list that it goes on from (§5.2.4). */
  readonly baseCrlNumber?: number | bigint | undefined;
  /** Where the deltas of a full list are (§5.2.6). */
  readonly freshestCrl?: string | undefined;
}

/** The tbsCertList but for its entries. */
export interface TbsAround {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** @param entriesBytes how long the entries are, one behind the other. */
export function tbsAround(form: CrlForm, entriesBytes: number): TbsAround {
  const before = Buffer.concat([
    integer(1),
    signatureAlgorithm(form),
    form.issuer.subject.der,
    time(form.thisUpdate),
    time(form.nextUpdate),
    // §5.1.2.6: absent, not empty, when nothing is revoked.
    ...(entriesBytes > 0 ? [header(TAG.sequence, entriesBytes)] : []),
  ]);
  const tail = contextConstructed(0, sequence(...extensionsOf(form)));
  const length = before.length + entriesBytes + tail.length;
  return { head: Buffer.concat([header(TAG.sequence, length), before]), tail };
}

/** What stands before and behind the entries in the signed list. */
export function crlAround(form: CrlForm, tbs: TbsAround, entriesBytes: number, signature: Uint8Array): TbsAround {
  const tail = Buffer.concat([tbs.tail, signatureAlgorithm(form), bitString(signature)]);
  const length = tbs.head.length + entriesBytes + tail.length;
  return { head: Buffer.concat([header(TAG.sequence, length), tbs.head]), tail };
}

function signatureAlgorithm({ issuer }: CrlForm): Uint8Array {
  return encodeSignatureAlgorithm(signatureAlgorithmFor(keyAlgorithmOf(issuer.spkiDer)));
}

function extensionsOf({ issuer, crlNumber, baseCrlNumber, distributionPoint, freshestCrl }: CrlForm): Uint8Array[] {
  const extensions = [
    extension(OID.authorityKeyIdentifier, 'non-critical', sequence(contextPrimitive(0, issuerKeyId(issuer)))),
    extension(OID.crlNumber, 'non-critical', integer(crlNumber)),
  ];
  if (baseCrlNumber !== undefined)
    extensions.push(extension(OID.deltaCrlIndicator, 'critical', integer(baseCrlNumber)));
  if (distributionPoint !== undefined) {
    const scope = sequence(contextConstructed(0, fullName(distributionPoint)));
    extensions.push(extension(OID.issuingDistributionPoint, 'critical', scope));
  }
  if (freshestCrl !== undefined) {
    const points = sequence(sequence(contextConstructed(0, fullName(freshestCrl))));
    extensions.push(extension(OID.freshestCrl, 'non-critical', points));
  }
  return extensions;
}

const fullName = (url: string): Uint8Array => contextConstructed(0, contextPrimitive(6, Buffer.from(url, 'latin1')));
