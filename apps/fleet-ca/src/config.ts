import { serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

const Lifetimes = z
  .strictObject({
    minLifetimeSeconds: z.int().min(60),
    defaultLifetimeSeconds: z.int().min(60),
    maxLifetimeSeconds: z.int().min(60),
    /** The skew that notBefore is back-dated by. */
    backdateSeconds: z.int().min(0).max(3600),
  })
  .refine(
    ({ minLifetimeSeconds, defaultLifetimeSeconds, maxLifetimeSeconds }) =>
      minLifetimeSeconds <= defaultLifetimeSeconds && defaultLifetimeSeconds <= maxLifetimeSeconds,
    'min <= default <= max',
  );

export const Config = serviceConfig({
  authorities: z.strictObject({
    /** `authorities.json` in the CA folder; looked at every two seconds. */
    manifestFile: z.string().min(1),
    /** Opens every CA key that is a file; read once, at start. */
    passphraseFile: z.string().min(1),
  }),
  lifetimes: z.strictObject({ vehicle: Lifetimes, 'command-signer': Lifetimes }),
  crl: z.strictObject({
    /** Without a trailing slash; `/<shard>.crl` follows. Plain http: RFC 5280 §4.2.1.13 and §8. */
    baseUrl: z.string().regex(/^http:\/\/[^\s]{1,180}[^/\s]$/, 'a plain http URL without a trailing slash'),
    /** Fixed for the life of the certificates that name a shard. */
    shardCount: z.int().min(1).max(65_536),
  }),
  ocspUrl: z.string().regex(/^http:\/\/[^\s]{1,190}$/, 'a plain http URL'),
  /** How far a request's `iat` may be from now. */
  requestMaxAgeSeconds: z.int().min(5).max(300),
});
export type Config = z.infer<typeof Config>;
