import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { curl, curlLine } from '../harness/curl.js';
import { at, endpoints, VEHICLE_SERVICES } from '../harness/endpoints.js';
import { file } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { payloadOf, signed } from '../harness/message.js';
import { certificatesOf, newKey, newRequest, serialOf, textOf } from '../harness/openssl.js';
import { operator, operatorToken } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { run } from '../harness/run.js';
import { type Loot, loot, type OpenConnection, openConnection, refusals } from '../harness/theft.js';
import { until } from '../harness/until.js';
import { est, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const WITHIN_MS = 1000;

describe('a stolen vehicle', () => {
  let vehicle: Vehicle;
  let renewed: Vehicle;
  let bystander: Vehicle;
  let goods: Loot;
  let serial: string;
  let connections: OpenConnection[];

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('stolen');
    bystander = await Vehicle.enrol('bystander');
    serial = await serialOf(vehicle.certificate);
    const key = await newKey('stolen-2.key', 'P-256');
    const answer = await est('simplereenroll', await newRequest(key, `/CN=${vehicle.id}`), vehicle);
    renewed = new Vehicle(
      vehicle.id,
      key,
      file('stolen-2.crt', (await certificatesOf(answer.body))[0] ?? ''),
      vehicle.factory,
    );
    goods = await loot(vehicle);
    connections = await Promise.all(
      VEHICLE_SERVICES.flatMap((service) => [openConnection(vehicle, service), openConnection(renewed, service)]),
    );
  });
  afterAll(async () => {
    for (const connection of connections ?? []) connection.close();
    await bystander?.close();
  });

  const revoke = (body: object) =>
    curlLine(
      `curl -X POST ${at('revocation', 'operator')}/revoke -H "Authorization: Bearer $CA_TOKEN" -d '${JSON.stringify(body)}'`,
      {
        CA_TOKEN: operatorToken(),
      },
    );

  test('the call of the manual, as it is written, ends every connection and every request within a second', async () => {
    const kept = await openConnection(bystander, 'telemetry');
    const sinceMs = performance.now();
    const [answer, seen, ...closed] = await Promise.all([
      revoke({ serial, reason: 'key-compromise' }),
      refusals(vehicle, goods, sinceMs),
      ...connections.map((connection) => connection.closed),
    ]);
    expect(answer.status).toBe(200);
    const { revoked, reason } = answer.json();
    expect(reason).toBe('keyCompromise');
    // The thief, who renews for as long as he may, may have got one more in the meantime: it is taken too.
    expect(revoked.map((one: { thumbprint: string }) => one.thumbprint)).toEqual(
      expect.arrayContaining([await vehicle.thumbprint(), await renewed.thumbprint()]),
    );
    for (const service of VEHICLE_SERVICES) {
      expect({ service, ms: seen[service].ms < WITHIN_MS, refused: seen[service].code?.split('.')[0] }).toEqual({
        service,
        ms: true,
        refused: 'denylist',
      });
    }
    expect(closed).toHaveLength(8);
    for (const ms of closed) expect(ms - sinceMs).toBeLessThan(WITHIN_MS);
    expect(kept.isOpen()).toBe(true);
    kept.close();
  });

  test('no other vehicle notices', async () => {
    const token = await bystander.token();
    const answer = await bystander.sendTelemetry(signed(payloadOf(bystander.id, 1), bystander.key), token);
    expect(answer.status).toBe(200);
  });

  test('the certificate that it renewed to is of no use either', async () => {
    const seen = await refusals(
      renewed,
      { ...goods, renewal: await newRequest(renewed.key, `/CN=${vehicle.id}`) },
      performance.now(),
    );
    expect(Object.values(seen).every(({ code }) => code?.startsWith('denylist.'))).toBe(true);
  });

  test('nor is its factory certificate', async () => {
    const request = await newRequest(await newKey('again.key', 'P-256'), `/CN=${vehicle.id}`);
    const answer = await est('simpleenroll', request, vehicle.factory);
    expect({ status: answer.status, code: answer.body.split(':')[0] }).toEqual({
      status: 403,
      code: 'denylist.device',
    });
  });

  test('the same call again gives the same answer', async () => {
    const [first, second] = [
      await revoke({ serial, reason: 'key-compromise' }),
      await revoke({ serial, reason: 'keyCompromise' }),
    ];
    expect(first.status).toBe(200);
    expect(second.json().revoked).toEqual(first.json().revoked);
    expect(second.json().sequence).toBe(first.json().sequence);
  });

  test('the registry awaits its recovery, and no unblock gives it back', async () => {
    await until('awaiting recovery', async () => {
      const shown = await outriderJson<{ state: string; certificates: { status: string }[] }>(
        'device',
        'show',
        vehicle.id,
      );
      return shown.state === 'awaiting_recovery' && shown.certificates.every(({ status }) => status === 'revoked');
    });
    const { code, stderr } = await outrider('unblock', vehicle.id, '--reason', 'please', '--json');
    expect({ code, problem: JSON.parse(stderr).code }).toEqual({ code: 1, problem: 'gateway.reprovision_required' });
  });

  test('its commands are not sent any more', async () => {
    const { code } = await outrider('command', 'send', vehicle.id, 'honk');
    expect(code).toBe(1);
  });

  test('the CRL that its certificate names lists the serial, by a signature that openssl believes', async () => {
    const url = /URI:(http:\S+\.crl)/.exec(await textOf(vehicle.certificate))?.[1] ?? '';
    const cas = await certificatesOf((await curl(`${at('provisioning', 'vehicle')}/.well-known/est/cacerts`)).body);
    const authorities = file('cas.pem', cas.join(''));
    const fetched = await until(
      'the serial on the CRL',
      async () => {
        const { stdout, bytes } = await run('sh', ['-c', `curl -sS '${url}' | openssl crl -inform DER -text`]);
        return stdout.includes(`Serial Number: ${serial}`) ? { text: stdout, bytes } : undefined;
      },
      { withinMs: 10_000, everyMs: 250 },
    );
    expect(fetched.text).toMatch(new RegExp(`${serial}[\\s\\S]{0,200}Key Compromise`));
    const crl = file('shard.crl.pem', fetched.bytes);
    const checked = await run('openssl', ['crl', '-in', crl, '-noout', '-CAfile', authorities]);
    expect(`${checked.stdout}${checked.stderr}`).toContain('verify OK');
    const verified = await run('openssl', [
      ...['verify', '-crl_check', '-extended_crl', '-CRLfile', crl],
      ...['-CAfile', endpoints.trust.fleetRoot, '-untrusted', authorities, vehicle.certificate],
    ]);
    expect(`${verified.stdout}${verified.stderr}`).toContain('certificate revoked');
  });

  test('the denials are in the decision log', async () => {
    const { body } = await operator('gateway', 'GET', `/v1/decisions?device=${vehicle.id}`);
    const codes = new Set(body.items.map(({ code }: { code: string }) => code));
    expect([...codes].some((code) => String(code).startsWith('denylist.'))).toBe(true);
  });
});
