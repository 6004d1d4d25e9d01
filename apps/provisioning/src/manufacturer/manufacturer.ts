/** Manufacturers: which CA certificates may vouch for factory certificates, and whose factory certificate this is. */
import { DomainError } from '@outrider/errors';
import { type ParsedCertificate, parseCertificates, validateChain } from '@outrider/x509';
import { z } from 'zod';

/** e.g. `demo-motors`. */
export const ManufacturerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{1,62}$/)
  .brand('ManufacturerName');
export type ManufacturerName = z.infer<typeof ManufacturerName>;

export interface Manufacturer {
  readonly name: ManufacturerName;
  /** Trusted for this manufacturer's factory certificates alone. */
  readonly anchors: readonly ParsedCertificate[];
}

const MAX_ANCHORS = 8;
/** Plain tools leave out what names no more than the chain says anyway. */
const FACTORY = { purpose: 'clientAuth', extendedKeyUsage: 'if-present', authorityKeyId: 'if-present' } as const;

/**
 * The CA certificates of a PEM file, as this manufacturer's anchors.
 * @param fleet the fleet's own CAs: none of their keys may vouch for a factory certificate, or a fleet leaf could enrol as one.
 * @param others who else is registered: a key vouches for one manufacturer.
 * @throws DomainError `provisioning.manufacturer_invalid`, `provisioning.manufacturer_conflict`
 */
export function acceptAnchors(
  name: ManufacturerName,
  pem: string,
  fleet: readonly ParsedCertificate[],
  others: readonly Manufacturer[],
): ParsedCertificate[] {
  const anchors = parseAnchors(pem);
  if (anchors.length === 0 || anchors.length > MAX_ANCHORS) throw invalid(`give 1 to ${MAX_ANCHORS} CA certificates`);
  for (const anchor of anchors) {
    if (!anchor.basicConstraints?.ca) throw invalid(`${anchor.subject.text} is no CA certificate`);
    if (anchor.keyAlgorithm === 'other') throw invalid(`${anchor.subject.text} has a key of a type that is not taken`);
    if (fleet.some(({ keyThumbprint }) => keyThumbprint === anchor.keyThumbprint)) {
      throw invalid(`${anchor.subject.text} is a CA of the fleet`);
    }
    const holder = others.find(
      (other) =>
        other.name !== name && other.anchors.some(({ keyThumbprint }) => keyThumbprint === anchor.keyThumbprint),
    );
    if (holder) {
      throw new DomainError('provisioning.manufacturer_conflict', { detail: `${holder.name} has this CA already` });
    }
  }
  return anchors;
}

function parseAnchors(pem: string): ParsedCertificate[] {
  try {
    return parseCertificates(pem);
  } catch (cause) {
    if (!(cause instanceof DomainError)) throw cause;
    throw new DomainError('provisioning.manufacturer_invalid', { cause, detail: cause.detail ?? cause.title });
  }
}

/**
 * The manufacturers to whose CA the factory certificate (IDevID, IEEE 802.1AR) chains: one, or more where their CAs are cross-signed.
 * @param intermediates as presented in TLS; attacker-controlled until the chain holds.
 * @throws DomainError `est.manufacturer_unknown` for none, with what its chain lacks; `tls.certificate_expired` when time alone is against it.
 */
export function vouchingManufacturers(
  leaf: ParsedCertificate,
  intermediates: readonly ParsedCertificate[],
  manufacturers: readonly Manufacturer[],
  now: Date,
): ManufacturerName[] {
  const vouching: ManufacturerName[] = [];
  // Whoever comes chooses what is presented: only of a manufacturer that it names is a path looked for at all.
  const issuers = new Set([leaf, ...intermediates].map(({ issuer }) => hexOf(issuer.der)));
  const refusals: DomainError[] = [];
  for (const { name, anchors } of manufacturers) {
    if (!anchors.some(({ subject }) => issuers.has(hexOf(subject.der)))) continue;
    try {
      validateChain(leaf, intermediates, anchors, { now, ...FACTORY });
      vouching.push(name);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      refusals.push(error);
    }
  }
  if (vouching.length > 0) return vouching;
  const expired = refusals.find(({ code }) => code === 'x509.expired');
  if (expired) {
    throw new DomainError('tls.certificate_expired', {
      cause: expired,
      detail: 'the factory certificate or its chain is outside its validity',
    });
  }
  // Of somebody else's CA there is no path at all; where one is named and does not hold, that is what to mend.
  const reason = refusals
    .map(({ detail }) => detail ?? '')
    .find((detail) => detail !== '' && !/^no path /.test(detail));
  throw new DomainError('est.manufacturer_unknown', {
    detail: reason === undefined ? leaf.issuer.text : `${leaf.issuer.text}: ${reason}`,
  });
}

function hexOf(der: Uint8Array): string {
  return Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('hex');
}

function invalid(detail: string): DomainError {
  return new DomainError('provisioning.manufacturer_invalid', { detail });
}
