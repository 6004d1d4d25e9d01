/** Writes certificate revocation lists (RFC 5280 §5): version 2 lists, each with the scope it is complete for. */
import { encodeCrlEntries, type RevokedEntry } from './crl-entries.js';
import { type CrlForm, crlAround, tbsAround } from './crl-form.js';
import type { SignTbs } from './issue-certificate.js';

export interface CrlDescription extends CrlForm {
  readonly revoked: readonly RevokedEntry[];
}

/** DER of a signed list, held whole: for short ones. AKI, CRL number, a critical IDP when it covers one shard alone. */
export async function createCrl(description: CrlDescription, sign: SignTbs): Promise<Uint8Array> {
  const { der: entries } = encodeCrlEntries(description.revoked);
  const tbs = tbsAround(description, entries.length);
  const signature = await sign(Buffer.concat([tbs.head, entries, tbs.tail]));
  const { head, tail } = crlAround(description, tbs, entries.length, signature);
  return Buffer.concat([head, entries, tail]);
}
