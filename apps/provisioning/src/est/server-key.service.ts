import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import {
  createCertificationRequest,
  OID,
  type ParsedCertificationRequest,
  parseCertificationRequest,
  type UnprovenCertificationRequest,
} from '@outrider/x509';
import type { LabelPolicy } from '../label/label.js';

type KeyAlgorithm = LabelPolicy['keyAlgorithms'][number];

export interface MadeKey {
  /** PKCS#8, DER. It is sent once and kept nowhere. */
  readonly pkcs8: Uint8Array;
  /** What the client asked for, over the key made for it. */
  readonly request: ParsedCertificationRequest;
}

/** Makes keys for devices that cannot (RFC 7030 §4.4): only in memory, only for the length of a request. */
@Injectable()
export class ServerKeys {
  /**
   * Of the type of the key that the request holds, where the label takes that one; else of the type that the label prefers.
   * @throws DomainError `est.key_encryption_unsupported`
   */
  make(asked: UnprovenCertificationRequest, { keyAlgorithms }: Pick<LabelPolicy, 'keyAlgorithms'>): MadeKey {
    const wrapped = [OID.decryptKeyIdentifier, OID.asymmetricDecryptKeyIdentifier] as readonly string[];
    if (asked.attributeTypes.some((type) => wrapped.includes(type))) {
      throw new DomainError('est.key_encryption_unsupported', { detail: 'ask without a DecryptKeyIdentifier' });
    }
    const hinted = keyAlgorithms.find((algorithm) => algorithm === asked.keyAlgorithm);
    const { privateKey, publicKey } = newKeyPair(hinted ?? keyAlgorithms[0]!);
    const subject = asked.subjectCommonName === undefined ? [] : asked.subjectCommonName;
    const der = createCertificationRequest({ subject, privateKey, publicKey });
    // Judged by the names and usages that the client asked for, certified over the key made here.
    const { keyAlgorithm: _, ...names } = asked;
    return {
      pkcs8: Uint8Array.from(privateKey.export({ type: 'pkcs8', format: 'der' })),
      request: { ...parseCertificationRequest(der), ...names },
    };
  }
}

function newKeyPair(algorithm: KeyAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  return algorithm === 'Ed25519'
    ? generateKeyPairSync('ed25519')
    : generateKeyPairSync('ec', { namedCurve: algorithm });
}
