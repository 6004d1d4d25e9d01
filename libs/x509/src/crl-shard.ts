/** Which CRL shard a certificate belongs to: fleet-ca writes it into the certificate, revocation lists the certificate there. */
import type { SerialNumber } from '@outrider/ids';

/**
 * 0 to `shardCount` - 1, even over random serial numbers. The count is fixed for the life of the certificates that name it.
 * @param shardCount 1 to 65,536
 */
export function crlShard(serialNumber: SerialNumber, shardCount: number): number {
  return Number.parseInt(serialNumber.slice(-8), 16) % shardCount;
}

/**
 * `<base>/<prefix><shard>.crl`, e.g. `http://localhost:9105/crl/0.crl`.
 * @param baseUrl without a trailing slash
 * @param prefix keeps the lists of one issuer apart from another's; fleet-ca says which, the first issuing CA has none.
 */
export function crlShardUrl(baseUrl: string, shard: number, prefix = ''): string {
  return `${baseUrl}/${prefix}${shard}.crl`;
}

/** `<base>/<prefix><shard>-delta.crl`: what has changed since a full list of the same shard. */
export function deltaCrlUrl(baseUrl: string, shard: number, prefix = ''): string {
  return `${baseUrl}/${prefix}${shard}-delta.crl`;
}
