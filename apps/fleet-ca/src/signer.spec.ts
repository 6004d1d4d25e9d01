import { describe, expect, it } from '@jest/globals';
import { natsPermissions } from '@outrider/contracts';
import { Config } from './config.js';

describe('the signer process', () => {
  const { publish, subscribe } = natsPermissions('fleet-ca');

  it('hears its four requests, one renewal for each service, the answers to its own, and nothing else', () => {
    expect(subscribe).toEqual([
      '_INBOX.fleet-ca.>',
      'ca.authority.list.v1',
      'ca.certificate.get.v1',
      'ca.certificate.sign.v2',
      'ca.command_certificate.renew.v1',
      'ca.crl.sign.v2',
      'ca.gateway_certificate.renew.v1',
      'ca.provisioning_certificate.renew.v1',
      'ca.revocation_certificate.renew.v1',
      'ca.telemetry_certificate.renew.v1',
      'ca.token_certificate.renew.v1',
    ]);
  });

  it('says what it has issued, reads the denylist, and cannot write it, and asks revocation alone, for the parts of a list', () => {
    const jetstream = publish.filter((subject) => subject.startsWith('$'));
    expect(publish.filter((subject) => !subject.startsWith('$'))).toEqual([
      'ca.certificate.issued.v1',
      'fleet-ca.decision.made.v1',
      'revocation.crl_draft.read.v1',
      'revocation.denylist.enforced.v1.*',
    ]);
    expect(
      jetstream.every((subject) => subject.includes('KV_DENYLIST') || subject === '$KV.INSTANCES.fleet-ca.>'),
    ).toBe(true);
    expect(jetstream.filter((subject) => /^\$KV\.DENYLIST|STREAM\.(UPDATE|DELETE|PURGE|CREATE)/.test(subject))).toEqual(
      [],
    );
  });

  it.each(['vehicle', 'operator'])('is given no %s listener', (face) => {
    const listener = { host: '127.0.0.1', port: 1, certificateFile: 'x', keyFile: 'x', clientAnchorFiles: ['x'] };
    const { clientAnchorFiles: _, ...operator } = listener;
    const listeners = { http: { host: '127.0.0.1', port: 1 }, [face]: face === 'vehicle' ? listener : operator };
    const parsed = Config.safeParse({ ...GOOD, listeners });
    expect(parsed.error?.issues.map(({ message }) => message)).toEqual([expect.stringContaining('no listener but')]);
    expect(Config.safeParse(GOOD).error).toBeUndefined();
  });
});

const GOOD = {
  service: 'fleet-ca',
  trustDomain: 'fleet.example.com',
  logLevel: 'info',
  trust: { fleetRootFile: 'x', vehicleCaFile: 'x', infrastructureCaFile: 'x', controlCaFile: 'x' },
  identity: { certificateFile: 'x', keyFile: 'x' },
  listeners: { http: { host: '127.0.0.1', port: 1 } },
  connectionLimits: { connections: 1, connectionsPerAddress: 1, handshakes: 1, handshakesPerAddress: 1, exempt: [] },
  nats: { url: 'nats://127.0.0.1:4222', user: 'fleet-ca', passwordFile: 'x' },
  database: { host: '127.0.0.1', port: 1, name: 'x', passwordFile: 'x', ownerPasswordFile: 'x', poolSize: 1 },
  tokenIssuer: 'https://127.0.0.1:8442',
  tokenSkewSeconds: 5,
  revocation: { controlStaleMs: 5000, staleMs: 60_000 },
  authorities: { manifestFile: 'x', passphraseFile: 'x' },
  profiles: { offered: ['vehicle'] },
  crl: { baseUrl: 'http://127.0.0.1:9105/crl', shardCount: 1 },
  ocspUrl: 'http://127.0.0.1:9105/ocsp',
  requestMaxAgeSeconds: 30,
};
