/** The token endpoint said no, in OAuth's words (RFC 6749 §5.2) and in ours. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';

  /** `error`: e.g. `invalid_client`, empty when the answer was not OAuth's; `code`: e.g. `denylist.device`. */
  constructor(
    readonly error: string,
    readonly code: string,
    readonly detail: string,
    readonly retryAfterSeconds: number | undefined,
  ) {
    super(`${code}: ${detail || error}`);
  }
}
