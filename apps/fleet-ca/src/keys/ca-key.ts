/** What a CA key is to whoever signs with it: the same for a key in a file and one that no file ever held. */

export interface CaKey {
  readonly algorithm: 'P-256' | 'P-384';
  /** DER of its SubjectPublicKeyInfo. */
  readonly spkiDer: Uint8Array;
  /**
   * @param message e.g. a TBSCertificate; hashed with the digest that the curve fixes.
   * @returns the signature in DER (RFC 3279 §2.2.3).
   * @throws DomainError `ca.key_unavailable`, at once or by the promise: the token is away; asking again later may help.
   */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** The same for a message that nobody holds whole. The key is used by `finish` alone. */
  signParts(): RunningSignature;
  /** Of a key that can go away. @throws DomainError `ca.key_unavailable` when it has. */
  readonly check?: () => void;
}

export interface RunningSignature {
  update(part: Uint8Array): void;
  /** As `CaKey.sign`; called once. */
  finish(): Uint8Array | Promise<Uint8Array>;
}

/** The digest that a curve fixes (RFC 5758 §3.2). */
export const CA_DIGEST = { 'P-256': 'sha256', 'P-384': 'sha384' } as const;
