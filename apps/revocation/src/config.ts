import { configFile, serviceConfig } from '@outrider/platform/service';
import { z } from 'zod';

export const Config = serviceConfig({
  crl: z
    .strictObject({
      baseUrl: z
        .string()
        .regex(/^http:\/\/[^\s]{1,180}[^/\s]$/, 'a plain http URL without a trailing slash')
        .describe(
          "As in fleet-ca's configuration, and as the certificates name it: without a trailing slash, `/<shard>.crl` follows.",
        ),
      shardCount: z
        .int()
        .min(1)
        .max(65_536)
        .describe("As in fleet-ca's configuration; fixed for the life of the certificates that name a shard."),
      intervalSeconds: z
        .int()
        .min(5)
        .max(86_400)
        .describe('How often a shard is published anew though nothing hurries.'),
      validitySeconds: z
        .int()
        .min(60)
        .max(2_592_000)
        .describe(
          'nextUpdate - thisUpdate: how long a relying party may go on with one list; at least twice the interval.',
        ),
      delta: z
        .strictObject({
          intervalSeconds: z.int().min(5).max(86_400).describe('How often a delta is.'),
          validitySeconds: z.int().min(60).max(2_592_000).describe('The same of a delta.'),
        })
        .optional()
        .describe('What has changed since a full list, as `/<shard>-delta.crl`; without it there are no deltas.'),
      directory: configFile(
        'state-folder',
        'A folder where the lists also lie as files, for a web server or a CDN to take; each replica writes its own.',
      ).optional(),
    })
    .describe('The lists.'),
  ocsp: z
    .strictObject({
      validitySeconds: z
        .int()
        .min(120)
        .max(604_800)
        .describe('nextUpdate - thisUpdate of an answer; it is replaced at the half of that.'),
      signaturesPerSecond: z
        .int()
        .min(1)
        .max(100_000)
        .describe(
          'How many answers a second are signed for one asker alone: with a nonce, for several certificates, `unknown`.',
        ),
      infrastructureSigner: z
        .strictObject({
          certificateFile: configFile('certificate', 'As the ceremony made it.'),
          keyFile: configFile('key', 'Of that certificate.'),
        })
        .optional()
        .describe(
          'Answers for the certificates of services, as the ceremony made it; without it they have no OCSP and no staples.',
        ),
    })
    .describe('Answers about single certificates.'),
  denylist: z
    .strictObject({
      renewalGraceSeconds: z
        .int()
        .min(0)
        .max(31_536_000)
        .describe('How long after notAfter a certificate may still be let in to renew.'),
      skewSeconds: z.int().min(0).max(3600).describe('The clock skew that certificates are back-dated by.'),
    })
    .describe('What every service enforces.'),
  jobs: z
    .strictObject({
      aloneAtMost: z
        .int()
        .min(0)
        .max(100_000)
        .describe(
          "How much one account takes out of service, or gives back, by files within an hour without a second person's elevation.",
        ),
    })
    .describe('Files of many targets.'),
})
  .refine(({ crl }) => crl.intervalSeconds * 2 <= crl.validitySeconds, {
    path: ['crl', 'validitySeconds'],
    message: 'at least twice intervalSeconds, or a late list is no list',
  })
  .refine(({ crl: { delta, intervalSeconds } }) => isOfUse(delta, intervalSeconds), {
    path: ['crl', 'delta'],
    message: 'no rarer than full lists, and valid for at least twice their own interval',
  });
export type Config = z.infer<typeof Config>;

function isOfUse(
  delta: { intervalSeconds: number; validitySeconds: number } | undefined,
  fullIntervalSeconds: number,
): boolean {
  if (delta === undefined) return true;
  return delta.intervalSeconds <= fullIntervalSeconds && delta.intervalSeconds * 2 <= delta.validitySeconds;
}
