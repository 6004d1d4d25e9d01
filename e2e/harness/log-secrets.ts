/** What of a log nobody may read: secrets that are known, and what has the shape of one. */

/** A secret of the suite, and how a finding calls it: never by itself. */
export interface KnownSecret {
  readonly name: string;
  readonly value: string;
}

export interface Leak {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly what: string;
}

/** Shorter ones would be found in anything. */
const MIN_LENGTH = 8;

const SHAPES: readonly (readonly [what: string, shape: RegExp])[] = [
  ['a token or another JWS', /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/],
  ['a private key, PEM', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  // What PKCS #8 begins with, of P-256, P-384, Ed25519 and RSA, in base64.
  ['a private key, DER', /\b(?:MIGHAgEAMBMG|MIG2AgEAMBAG|MC4CAQAwBQYDK2Vw|MII[\w+/]{4}AgEAMA0GCSqGSIb3DQEBAQUA)/],
  ['credentials of a header', /\b(?:Bearer|DPoP|Basic) [\w~+/.=-]{16,}/],
  ['a password in an address', /\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*:(?!\[secret\])[^\s@/"]+@/],
  ['a TOTP secret', /otpauth:\/\/|(?<![A-Z2-7])[A-Z2-7]{32}(?![A-Z2-7])/],
  ['a token in a query', /[?&](?:access_token|refresh_token|client_assertion|code)=[^&\s"]{8,}/],
];

/** Members of a line of JSON that hold nothing but secrets. */
const MEMBERS =
  /^(?:authorization|cookie|set-cookie|dpop|password|passphrase|secret|client_secret|access_token|refresh_token|id_token|client_assertion|token|nonce|otp|totp|recovery_codes?|private_?key)$/i;

/** @param known values that must not be found anywhere. */
export function leaksOf(file: string, text: string, known: readonly KnownSecret[]): Leak[] {
  const named = known.filter(({ value }) => value.length >= MIN_LENGTH);
  return text.split('\n').flatMap((content, at) => {
    const found = [
      ...SHAPES.flatMap(([what, shape]) => (shape.test(content) ? [what] : [])),
      ...named.flatMap(({ name, value }) => (content.includes(value) ? [name] : [])),
      ...membersOf(content),
    ];
    return found.map((what) => ({ file, line: at + 1, what }));
  });
}

function membersOf(line: string): string[] {
  if (!line.startsWith('{')) return [];
  const found: string[] = [];
  try {
    JSON.parse(line, (name, value: unknown) => {
      if (MEMBERS.test(name) && typeof value === 'string' && value !== '' && value !== '[secret]')
        found.push(`the member ${name}`);
      return value;
    });
  } catch {
    return [];
  }
  return found;
}
