/** Who sends: as admitted on this connection. */
import type { DeviceId } from '@outrider/ids';
import type { ParsedCertificate } from '@outrider/x509';

export interface Sender {
  readonly deviceId: DeviceId;
  readonly certificate: ParsedCertificate;
  /** `jti` of the access token. */
  readonly tokenId: string;
  readonly remoteAddress: string;
}
