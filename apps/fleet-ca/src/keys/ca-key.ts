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
  /** Of a key that can go away. @throws DomainError `ca.key_unavailable` when it has. */
  readonly check?: () => void;
}
