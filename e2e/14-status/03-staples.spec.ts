import { describe, expect } from '@jest/globals';
import { at, endpoints, VEHICLE_SERVICES } from '../harness/endpoints.js';
import { itWith } from '../harness/installed.js';
import { run } from '../harness/run.js';
import { until } from '../harness/until.js';

const test = itWith(['openssl']);

/** What `openssl s_client -status` says of one handshake. */
async function handshake(url: string, ...options: string[]): Promise<string> {
  const { host } = new URL(url);
  const trust = ['-CAfile', endpoints.trust.fleetRoot];
  const { stdout, stderr } = await run('openssl', ['s_client', '-connect', host, '-status', ...trust, ...options]);
  return stdout + stderr;
}

describe('staples', () => {
  for (const service of VEHICLE_SERVICES) {
    test(`${service}: says with the handshake that its certificate is good, to vehicles and to operators`, async () => {
      for (const face of ['vehicle', 'operator'] as const) {
        for (const version of ['-tls1_2', '-tls1_3']) {
          // A listener has its staple some seconds after it opens.
          const said = await until(
            `a staple of ${service}, ${face}`,
            async () => {
              const text = await handshake(at(service, face), version);
              return text.includes('OCSP Response Status: successful') && text;
            },
            { withinMs: 30_000, everyMs: 500 },
          );
          expect(said).toMatch(/Cert Status: good/);
        }
      }
    });
  }
});
