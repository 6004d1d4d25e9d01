/** The keys that one service alone has, beside those that all share. */
import { join } from 'node:path';
import { authorization, demoApi } from './edge.ts';
import { EST_LABELS } from './est-labels.ts';
import { secret } from './files.ts';
import { fleetFiles } from './fleet.ts';
import { portsOf } from './ports.ts';
import { PROJECT, places, type Settings } from './settings.ts';

const DAY_SECONDS = 86_400;
/** Clock skew that certificates are back-dated by. */
const BACKDATE_SECONDS = 300;

/** As the service's `config.ts` demands them. */
export function appSettings(settings: Settings, service: string): object {
  return builders[service]?.(settings) ?? {};
}

const builders: Readonly<Record<string, (settings: Settings) => object>> = {
  'fleet-ca': (settings) => {
    const { passphrase, manifest } = fleetFiles(settings);
    return {
      authorities: { manifestFile: manifest, passphraseFile: passphrase },
      profiles: { offered: ['vehicle', 'vehicle-short', 'vehicle-week', 'command-signer', 'ocsp-signer'] },
      crl: shards(settings),
      ocspUrl: `${revocationUrl(settings)}/ocsp`,
      serviceRenewal: { lifetimeSeconds: 7 * DAY_SECONDS },
      requestMaxAgeSeconds: 30,
    };
  },
  provisioning: (settings) => ({
    labels: EST_LABELS,
    approvals: { pendingSeconds: DAY_SECONDS, retryAfterSeconds: 5, perDevice: 3, perManufacturer: 1000 },
    renewalInfo: { pollSeconds: 30 },
    manufacturers: [{ name: 'demo-motors', caFile: fleetFiles(settings).factory.ca }],
  }),
  token: (settings) => {
    const encryptionKeyFile = join(places(settings).secrets, 'token-key-encryption');
    secret(encryptionKeyFile);
    return {
      signingKeys: { encryptionKeyFile, signSeconds: 7 * DAY_SECONDS, publishSeconds: 600 },
      people: {
        // A browser shows keys to names alone, never to addresses.
        webauthn: {
          rpId: 'localhost',
          rpName: 'Outrider',
          origins: [`https://localhost:${portsOf(settings).services.token?.operator}`],
        },
      },
      apis: [demoApi()],
      operatorUrl: `https://127.0.0.1:${portsOf(settings).services.token?.operator}`,
    };
  },
  telemetry: () => ({
    skewSeconds: 120,
    maxQueuedRecords: 20_000,
    maxQueuedRecordsPerDevice: 5_000,
    commitLagMs: 3_000,
    limits: { device: { perSecond: 5_000, burst: 20_000 }, fleet: { perSecond: 100_000, burst: 200_000 } },
    retentionDays: 400,
  }),
  command: () => ({
    defaultExpirySeconds: 300,
    defaultTimeoutSeconds: 60,
    idempotencySeconds: DAY_SECONDS,
    catalogue: { folder: join(PROJECT, 'apps', 'command', 'catalogue') },
    maxOpenPerDevice: 1000,
    batches: { approvalAbove: 25, approvalWindowSeconds: 3600, maxDevices: 10_000 },
  }),
  revocation: (settings) => ({
    crl: {
      ...shards(settings),
      ...{ intervalSeconds: 60, validitySeconds: 3600 },
      delta: { intervalSeconds: 30, validitySeconds: 3600 },
    },
    ocsp: { validitySeconds: 3600, signaturesPerSecond: 500, infrastructureSigner: ocspSigner(settings) },
    denylist: { renewalGraceSeconds: DAY_SECONDS, skewSeconds: BACKDATE_SECONDS },
    jobs: { aloneAtMost: 100 },
  }),
  gateway: (settings) => ({
    authorization: authorization(settings),
    enforcementWaitMs: 1000,
    decisions: { retentionDays: 400 },
    policies: { folder: join(PROJECT, 'policies') },
  }),
};

/** Made with the certificates of the services. */
function ocspSigner(settings: Settings): { certificateFile: string; keyFile: string } {
  const { certificate: certificateFile, key: keyFile } = fleetFiles(settings).service('ocsp-signer');
  return { certificateFile, keyFile };
}

/** The same for fleet-ca, which names a shard in each certificate, and for revocation, which publishes it. */
function shards(settings: Settings): { baseUrl: string; shardCount: number } {
  return { baseUrl: `${revocationUrl(settings)}/crl`, shardCount: 4 };
}

function revocationUrl(settings: Settings): string {
  return `http://127.0.0.1:${portsOf(settings).services.revocation?.http}`;
}
