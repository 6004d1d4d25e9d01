/** The fleet's keys and certificates: made once by fleet-ca's ceremony, which also renews a server certificate that runs out. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { secret, writeWhole } from './files.ts';
import { runProduct } from './product.ts';
import { places, type Settings } from './settings.ts';

export const TRUST_DOMAIN = 'fleet.example.com';
/** The proxy that the services of a suite believe about client certificates; the hosts that it answers for. */
export const EDGE = {
  name: 'edge-local',
  api: `api.${TRUST_DOMAIN}`,
  vehicles: `vehicles.${TRUST_DOMAIN}`,
} as const;
const CEREMONY = 'apps/fleet-ca/dist/ceremony.command.js';

/** Where the ceremony leaves what. */
export function fleetFiles(settings: Settings) {
  const { fleet, secrets } = places(settings);
  const authority = (name: string) => join(fleet, 'trust', `${name}.crt`);
  return {
    passphrase: join(secrets, 'fleet-ca-passphrase'),
    /** Names every CA key (encrypted, in `keys/`: for fleet-ca alone) and certificate. */
    manifest: join(fleet, 'authorities.json'),
    trust: {
      /** What clients pin for server certificates. */
      server: join(fleet, 'trust', 'server-trust.pem'),
      fleetRoot: authority('fleet-root'),
      /** All that certify vehicles, every trusted generation. */
      vehicleCa: authority('vehicle-cas'),
      /** Those and the fleet root: what an edge asks its clients by. */
      edgeClients: join(fleet, 'trust', 'edge-clients.pem'),
      infrastructureCa: authority('infrastructure-ca'),
      controlCa: authority('control-ca'),
    },
    service: (name: string) => ({
      certificate: join(fleet, 'services', `${name}.crt`),
      key: join(fleet, 'services', `${name}.key`),
    }),
    services: join(fleet, 'services'),
    factory: {
      folder: join(fleet, 'factory'),
      ca: join(fleet, 'factory', 'ca.crt'),
      key: join(fleet, 'factory', 'ca.key'),
    },
  };
}

/** What the ceremony does with the suite's fleet; returns the line of JSON it prints. */
export function runCeremony(settings: Settings, verb: string, ...more: string[]): Promise<string> {
  const { passphrase } = fleetFiles(settings);
  const fleet = ['--out', places(settings).fleet, '--trust-domain', TRUST_DOMAIN, '--passphrase-file', passphrase];
  return runProduct(CEREMONY, [verb, ...fleet, ...more]);
}

/** Renews server certificates that are due, and puts their chains and the edges' file of CAs right; the services take them up by themselves. Returns which. */
export async function renewServers(settings: Settings): Promise<string[]> {
  const { services, trust } = fleetFiles(settings);
  const to = ['--to', services];
  const edge = ['--service', EDGE.name, '--dns', EDGE.api, '--dns', EDGE.vehicles];
  const answers = [
    await runCeremony(settings, 'issue-server', ...to),
    await runCeremony(settings, 'issue-server', ...to, ...edge),
  ];
  const cas = [trust.vehicleCa, trust.fleetRoot].map((file) => readFileSync(file, 'utf8'));
  writeWhole(trust.edgeClients, cas.join(''), 0o644);
  return answers.flatMap((answer) => (JSON.parse(answer) as { made: string[] }).made);
}

/** Makes what is missing; says which. */
export async function makeFleet(settings: Settings): Promise<string> {
  const files = fleetFiles(settings);
  const resumed = existsSync(files.trust.server);
  secret(files.passphrase);
  await runProduct('apps/cli/dist/factory-ca.command.js', ['--out', files.factory.folder]);
  await runCeremony(settings, 'create');
  const made = await renewServers(settings);
  const certificates = made.length > 0 ? `, ${made.length} server certificates made` : '';
  return resumed ? `resumed${certificates}` : `root and three CAs made${certificates}`;
}
