import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROJECT, SERVICES } from '../harness/endpoints.js';
import { type Family, scrapeAll, total } from '../harness/exposition.js';
import { itWith } from '../harness/installed.js';
import { payloadOf, signed } from '../harness/message.js';
import { isOptional, type Metric, metricsOf, readPage } from '../harness/metrics-page.js';
import { operator } from '../harness/operator.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const PATIENT = { withinMs: 20_000 };
/** However long a suite runs: a service that tells more has a label that grows. */
const MOST_SERIES = 10_000;

/** What names one vehicle, certificate, person or address, by its shape. */
const IDENTITIES: readonly (readonly [what: string, shape: RegExp])[] = [
  ['a UUID', /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i],
  ['a serial number or a digest', /[0-9a-f]{16,}/i],
  ['a thumbprint', /(?<![\w-])[\w-]{43}(?![\w-])/],
  ['an IPv4 address', /\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b/],
  ['an IPv6 address', /[0-9a-f]*:[0-9a-f]*:[0-9a-f:]+/i],
  ['a device id', /\b(?:demo|device|e2e|vehicle|sim|attack)-[\w-]*\d/],
  ['a long number', /\d{6,}/],
  ['a token', /eyJ/],
  ['a SPIFFE id', /spiffe:/],
];

describe('what the services tell Prometheus', () => {
  let exposed: (Family & { service: string })[];
  let vehicle: Vehicle;
  let before: { issued: number; accepted: number; enforced: number };
  const counts = async () => ({
    issued: await total('provisioning', 'outrider_enrolments_total', { operation: 'enrol', result: 'issued' }),
    accepted: await total('telemetry', 'outrider_telemetry_messages_total', { verdict: 'accepted' }),
    enforced: await total('revocation', 'outrider_revocation_enforced_seconds_count'),
  });

  beforeAll(async () => {
    before = await counts();
    vehicle = await Vehicle.enrol('measured');
    await vehicle.sendTelemetry(signed(payloadOf(vehicle.id, 1), vehicle.key), await vehicle.token());
    await operator('revocation', 'POST', '/revoke', { body: { device_id: vehicle.id, reason: 'superseded' } });
    exposed = await scrapeAll();
  }, 60_000);
  afterAll(() => vehicle?.close());

  test('counts an enrolment, a message and how long a revocation took', async () => {
    const after = await until(
      'all of it is counted',
      async () => {
        const now = await counts();
        return now.issued > before.issued && now.accepted > before.accepted && now.enforced > before.enforced && now;
      },
      PATIENT,
    );
    expect(after.issued).toBeGreaterThan(before.issued);
  });

  it('names no vehicle, certificate, person or address in any label', async () => {
    const { body } = await operator('provisioning', 'GET', '/v1/devices?limit=500');
    const devices: string[] = body.items.map((device: { device_id: string }) => device.device_id);
    expect(devices.length).toBeGreaterThan(0);
    const found = exposed.flatMap(({ service, samples }) =>
      samples.flatMap(({ name, labels }) =>
        Object.entries(labels).flatMap(([label, value]) => {
          const what = devices.includes(value) ? 'a device id' : IDENTITIES.find(([, shape]) => shape.test(value))?.[0];
          return what ? [`${service}: ${name}{${label}="${value}"} looks like ${what}`] : [];
        }),
      ),
    );
    expect([...new Set(found)]).toEqual([]);
  });

  it.each([
    ['8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60'],
    ['5d41402abc4b2a76b9719d911017c592'],
    ['nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A'],
    ['192.0.2.17'],
    ['2001:db8::17'],
    ['device-12345'],
    ['/v1/devices/e2e-measured-00ab'],
    ['op:12345678'],
  ])('would see %s', (planted) => expect(IDENTITIES.some(([, shape]) => shape.test(planted))).toBe(true));

  it('has names that end in their unit, and no more series than a fleet of any size needs', () => {
    for (const { name, type } of exposed) {
      if (!name.startsWith('outrider_')) continue;
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_(?:seconds|bytes|records|asks)$/);
      expect(name).not.toMatch(/_(?:ms|millis|milliseconds|minutes|kb|mb)(?:_|$)/);
    }
    for (const service of SERVICES) {
      const series = exposed.filter((family) => family.service === service).flatMap(({ samples }) => samples).length;
      expect(series).toBeLessThan(MOST_SERIES);
    }
  });

  it('is what docs/metrics.md says, metric by metric', () => {
    const page = readPage(readFileSync(join(PROJECT, 'docs', 'metrics.md'), 'utf8'), SERVICES);
    const told = metricsOf(exposed);
    const headOf = ({ name, type, services, help }: Metric) => ({ name, type, services: [...services], help });
    const heads = (metrics: readonly Metric[]) => metrics.filter((metric) => !isOptional(metric)).map(headOf);
    // Written anew by `node e2e/dist/harness/metrics-page.command.js` beside a running suite.
    expect(heads(told)).toEqual(heads(page));
    for (const { name, labels } of told) {
      const said = page.find((metric) => metric.name === name)?.labels;
      expect([name, said]).toEqual([name, expect.arrayContaining([...labels])]);
    }
  });

  it('knows how long every certificate is still good for', () => {
    const ends = exposed
      .filter(({ name }) => name === 'outrider_certificate_expiry_seconds')
      .flatMap(({ service, samples }) =>
        samples.map(({ labels, value }) => [`${service} ${labels.certificate}`, value] as const),
      );
    const names = ends.map(([name]) => name);
    for (const service of SERVICES)
      for (const name of ['identity', 'fleet_root', 'vehicle_ca', 'infrastructure_ca', 'control_ca'])
        expect(names).toContain(`${service} ${name}`);
    for (const name of [
      'telemetry vehicle_listener',
      'telemetry operator_listener',
      'command command_signer',
      'revocation ocsp_signer',
    ])
      expect(names).toContain(name);
    for (const [name, seconds] of ends) expect([name, seconds > 0]).toEqual([name, true]);
  });
});
