import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Service } from '@outrider/ids';
import type { TestDatabase } from './database.client.js';
import { issueService, type TestFleet, TRUST_DOMAIN } from './fleet.js';
import { freePort } from './free-port.client.js';
import type { TestNats } from './nats.client.js';

export interface TestServiceParts {
  readonly fleet: TestFleet;
  readonly database: TestDatabase;
  readonly nats: TestNats;
}

/** The common part of a service's configuration, with real files behind every path, on ports of its own; `directory` takes more files. */
export async function testServiceConfig(service: Service, { fleet, database, nats }: TestServiceParts) {
  const directory = mkdtempSync(join(tmpdir(), `outrider-${service}-`));
  const file = (name: string, content: string) => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const identity = await issueService(fleet, service);
  const certificateFile = file('service.crt', identity.certificatePem + fleet.infrastructureCa.certificatePem);
  const keyFile = file('service.key', identity.privateKeyPem);
  const vehicleCaFile = file('vehicle-ca.crt', fleet.vehicleCa.certificatePem);
  const tls = async () => ({ host: '127.0.0.1', port: await freePort(), certificateFile, keyFile });
  const passwordFile = file('database.password', database.password);
  const config = {
    service,
    trustDomain: TRUST_DOMAIN,
    logLevel: (process.env['OUTRIDER_TEST_LOG'] ?? 'fatal') as 'fatal',
    trust: {
      fleetRootFile: file('fleet-root.crt', fleet.root.certificatePem),
      vehicleCaFile,
      infrastructureCaFile: file('infrastructure-ca.crt', fleet.infrastructureCa.certificatePem),
      controlCaFile: file('control-ca.crt', fleet.controlCa.certificatePem),
    },
    identity: { certificateFile, keyFile },
    listeners: {
      http: { host: '127.0.0.1', port: await freePort() },
      vehicle: { ...(await tls()), clientAnchorFiles: [vehicleCaFile] },
      operator: { ...(await tls()), rateLimit: { perSecond: 200, burst: 1000 } },
    },
    connectionLimits: {
      connections: 20_000,
      connectionsPerAddress: 10_000,
      handshakes: 512,
      handshakesPerAddress: 256,
      exempt: [],
    },
    nats: { url: nats.url, user: service, passwordFile: nats.passwordFile },
    database: {
      host: database.host,
      port: database.port,
      name: database.name,
      passwordFile,
      ownerPasswordFile: passwordFile,
      poolSize: 10,
    },
    tokenIssuer: 'https://127.0.0.1:8442',
    tokenSkewSeconds: 10,
    revocation: { controlStaleMs: 5000, staleMs: 60_000 },
    shutdown: { drainDelayMs: 0, finishMs: 10_000 },
  };
  return { config, directory };
}
