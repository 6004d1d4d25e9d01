import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InstanceId, TrustDomain } from '@outrider/ids';
import { createLogger, Metrics, Readiness, Schedule } from '@outrider/platform/service';
import { createAuthorities, createVehicleAuthority } from '../ceremony/create-authorities.command.js';
import { activateGeneration, retireGeneration, rollOver } from '../ceremony/roll-over.command.js';
import type { Config } from '../config.js';
import { Authorities } from './authorities.service.js';

const passphrase = 'correct horse battery staple 9172';
let out: string;
let schedule: Schedule;
let readiness: Readiness;
let authorities: Authorities;

const ceremony = () => ({ out, trustDomain: TrustDomain.parse('fleet.example.com'), passphrase, now: new Date() });
const manifestFile = () => join(out, 'authorities.json');
const vehicleCa = () => ({ ...ceremony(), authority: 'vehicle-ca' });
const checks = async () => (await readiness.report()).checks;

beforeEach(async () => {
  out = mkdtempSync(join(tmpdir(), 'outrider-authorities-'));
  await createAuthorities(ceremony());
  writeFileSync(join(out, 'passphrase'), passphrase, { mode: 0o600 });
  const logger = createLogger('fleet-ca', InstanceId.parse('fleet-ca-00000001'), 'fatal');
  schedule = new Schedule(logger);
  readiness = new Readiness();
  const config = { authorities: { manifestFile: manifestFile(), passphraseFile: join(out, 'passphrase') } } as Config;
  authorities = new Authorities(config, logger, readiness, schedule, new Metrics());
});
afterEach(async () => {
  await schedule.beforeApplicationShutdown();
  rmSync(out, { recursive: true, force: true });
});

describe('Authorities', () => {
  it('follows a rollover: signs by the new generation, and keeps the old one for its CRLs', async () => {
    const before = authorities.signing('vehicle-ca');
    await rollOver(vehicleCa());
    authorities.look();
    expect(authorities.signing('vehicle-ca').generation).toBe(1);
    expect(authorities.trusted('vehicle-ca')).toHaveLength(2);
    await activateGeneration({ ...vehicleCa(), generation: 2, minWaitSeconds: 0 });
    authorities.look();
    expect(authorities.signing('vehicle-ca').generation).toBe(2);
    expect(authorities.byKeyId(before.certificate.subjectKeyId as string).generation).toBe(1);
    expect(authorities.isAuthorityKey(before.certificate.keyThumbprint)).toBe(true);
  });

  it('signs the lists of one that was retired early, which nobody trusts, until its certificates are over', async () => {
    const keyId = authorities.signing('vehicle-ca').certificate.subjectKeyId as string;
    await rollOver(vehicleCa());
    await activateGeneration({ ...vehicleCa(), generation: 2, minWaitSeconds: 0 });
    const retirement = { generation: 1, relianceSeconds: undefined, force: true, distrust: false };
    await retireGeneration({ ...vehicleCa(), ...retirement });
    authorities.look();
    expect(authorities.trusted('vehicle-ca').map(({ subjectKeyId }) => subjectKeyId)).not.toContain(keyId);
    expect(authorities.byKeyId(keyId).generation).toBe(1);
    expect(authorities.issuers().map(({ generation }) => generation)).toEqual([1, 2]);
    const withoutKey = readFileSync(manifestFile(), 'utf8').replace('keys/vehicle-ca.key', 'keys/destroyed.key');
    const good = readFileSync(manifestFile(), 'utf8');
    writeFileSync(manifestFile(), withoutKey);
    authorities.look();
    expect(authorities.issuers().map(({ generation }) => generation)).toEqual([2]);
    writeFileSync(manifestFile(), good);
    authorities.look();
    expect(authorities.byKeyId(keyId).generation).toBe(1);
    const over = readFileSync(manifestFile(), 'utf8').replace(
      /"listsUntil": "[^"]*"/,
      '"listsUntil": "2026-01-01T00:00:00.000Z"',
    );
    writeFileSync(manifestFile(), over);
    authorities.look();
    expect(() => authorities.byKeyId(keyId)).toThrow(expect.objectContaining({ code: 'ca.authority_unknown' }));
  });

  it('takes up a further authority', async () => {
    expect(() => authorities.signing('vehicle-ca-trucks')).toThrow(
      expect.objectContaining({ code: 'ca.authority_unknown' }),
    );
    await createVehicleAuthority('vehicle-ca-trucks', ceremony());
    authorities.look();
    expect(authorities.signing('vehicle-ca-trucks').profile).toBe('vehicle-ca');
  });

  it.each<[string, (text: string) => string]>([
    ['is cut short', (text) => text.slice(0, -20)],
    ['has two active generations', (text) => text.replace(/"state": "active"/, '"state": "retired"')],
    ['names a certificate that is not there', (text) => text.replace('trust/control-ca.1.crt', 'trust/nothing.crt')],
    ['gives an authority the key of another', (text) => text.replace('keys/vehicle-ca.key', 'keys/control-ca.key')],
    [
      'names a token where none is configured',
      (text) =>
        text.replace(
          '"kind": "file",\n          "file": "keys/vehicle-ca.key"',
          '"kind": "pkcs11", "label": "vehicle-ca-1"',
        ),
    ],
  ])('goes on with what it had, and says so, while the manifest %s', async (_, spoil) => {
    const good = readFileSync(manifestFile(), 'utf8');
    const before = authorities.signing('vehicle-ca');
    expect(spoil(good)).not.toBe(good);
    writeFileSync(manifestFile(), spoil(good));
    authorities.look();
    expect(authorities.signing('vehicle-ca')).toBe(before);
    expect(await checks()).toMatchObject({ 'ca-manifest': { ok: false, detail: expect.any(String) } });
    writeFileSync(manifestFile(), good);
    authorities.look();
    expect(await checks()).toMatchObject({ 'ca-manifest': { ok: true } });
  });

  it.each(['fleet-root', 'infrastructure-ca', 'nobody'])('does not sign for %s', (name) => {
    expect(() => authorities.signing(name)).toThrow(expect.objectContaining({ code: 'ca.authority_unknown' }));
  });
});
