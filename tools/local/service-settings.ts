/** The keys that one service alone has, beside those that all share. */
import { join } from 'node:path';
import { secret } from './files.ts';
import { fleetFiles } from './fleet.ts';
import { portsOf } from './ports.ts';
import { places, type Settings } from './settings.ts';

const DAY_SECONDS = 86_400;
/** Clock skew that certificates are back-dated by. */
const BACKDATE_SECONDS = 300;

/** As the service's `config.ts` demands them. */
export function appSettings(settings: Settings, service: string): object {
  return builders[service]?.(settings) ?? {};
}

const builders: Readonly<Record<string, (settings: Settings) => object>> = {
  'fleet-ca': (settings) => {
    const { passphrase, keys } = fleetFiles(settings);
    const revocation = `http://127.0.0.1:${portsOf(settings).services.revocation?.http}`;
    return {
      authorities: {
        passphraseFile: passphrase,
        vehicleCaKeyFile: join(keys, 'vehicle-ca.key'),
        controlCaKeyFile: join(keys, 'control-ca.key'),
      },
      lifetimes: {
        vehicle: lifetimes(60, DAY_SECONDS, 30 * DAY_SECONDS),
        'command-signer': lifetimes(3600, DAY_SECONDS, DAY_SECONDS),
      },
      crl: { baseUrl: `${revocation}/crl`, shardCount: 1 },
      ocspUrl: `${revocation}/ocsp`,
      requestMaxAgeSeconds: 30,
    };
  },
  provisioning: (settings) => ({
    certificates: { lifetimeSeconds: DAY_SECONDS, overlapSeconds: 600 },
    manufacturers: [{ name: 'demo-motors', caFile: fleetFiles(settings).factory.ca }],
  }),
  token: (settings) => {
    const encryptionKeyFile = join(places(settings).secrets, 'token-key-encryption');
    secret(encryptionKeyFile);
    return {
      signingKeys: { encryptionKeyFile },
      operatorUrl: `https://127.0.0.1:${portsOf(settings).services.token?.operator}`,
    };
  },
};

function lifetimes(minLifetimeSeconds: number, defaultLifetimeSeconds: number, maxLifetimeSeconds: number): object {
  return { minLifetimeSeconds, defaultLifetimeSeconds, maxLifetimeSeconds, backdateSeconds: BACKDATE_SECONDS };
}
