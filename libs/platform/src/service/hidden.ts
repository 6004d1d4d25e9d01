/** Decides what a line of the log is stripped of, whatever it was said in: tokens, private keys, credentials of a header or an address. */

// Each begins only where a run of its characters does: from within one, a long line would be read again at every character.
const TOKEN = /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/gs;
const CREDENTIALS = /\b(Bearer|DPoP|Basic) [\w~+/.=-]{16,}/g;
const PASSWORD_IN_URL = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*):[^\s@/"]+@/g;

/** Members that are secrets by their name, wherever they lie in a line up to two levels deep. */
export const SECRET_MEMBERS: readonly string[] = [
  'authorization',
  'cookie',
  'dpop',
  'password',
  'secret',
  'client_secret',
  'access_token',
  'refresh_token',
  'id_token',
  'client_assertion',
  'token',
  'nonce',
  'otp',
  'privateKey',
  'passphrase',
];

/** A net below the rest: nobody should have to rely on it. */
export function hidden(line: string): string {
  let text = line;
  if (text.includes('eyJ')) text = text.replace(TOKEN, '[token]');
  if (text.includes('PRIVATE KEY')) text = text.replace(PRIVATE_KEY, '[private key]');
  if (/Bearer |DPoP |Basic /.test(text)) text = text.replace(CREDENTIALS, '$1 [secret]');
  if (text.includes('://')) text = text.replace(PASSWORD_IN_URL, '$1:[secret]@');
  return text;
}
