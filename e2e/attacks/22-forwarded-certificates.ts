import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { deniedInLog } from '../harness/decisions.js';
import { plain } from '../harness/operator.js';
import { configOf } from '../harness/service-config.js';
import { type Ask, Thief } from '../harness/thief.js';
import { attack } from './attack.js';
import { attacker, type Party, unharmed, victim } from './cast.js';
import { said } from './said.js';

const COUNTER = 'outrider_client_cert_headers_ignored_total';

async function counted(): Promise<number> {
  const { bytes } = await plain('telemetry', '/metrics');
  const lines = bytes
    .toString()
    .split('\n')
    .filter((line) => line.startsWith(COUNTER));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** As an edge would forward the certificate of `car` (RFC 9440), and as Envoy does. */
function forwarded(car: Party): Record<string, string>[] {
  const pem = readFileSync(car.vehicle.certificate, 'utf8');
  const der = new X509Certificate(pem).raw.toString('base64');
  return [
    { 'Client-Cert': `:${der}:` },
    { 'Client-Cert': `:${der}:`, 'Client-Cert-Chain': `:${der}:` },
    { 'X-Forwarded-Client-Cert': `Cert="${encodeURIComponent(pem)}"` },
    { 'X-SSL-Client-Cert': encodeURIComponent(pem), 'X-SSL-Client-Verify': 'SUCCESS' },
  ];
}

export const forwardedCertificates = attack(
  22,
  'sends Client-Cert headers straight to a service',
  'ignored and counted',
  async (trial) => {
    const [car, thief, nobody] = [await victim(), await attacker(), new Thief()];
    // Of the infrastructure CA, as a proxy's would be, but nobody configured it as one.
    const { certificateFile, keyFile } = configOf('command').identity;
    const service = new Thief(certificateFile, keyFile);
    const token = await car.token();
    const before = await counted();
    const begun = new Date();
    for (const headers of forwarded(car)) {
      const ask: Ask = {
        service: 'telemetry',
        method: 'POST',
        path: '/v1/telemetry',
        token,
        headers,
        body: JSON.stringify(car.message()),
      };
      const what = Object.keys(headers).join(', ');
      trial.check(`${what}, no certificate`, '401 tls.certificate_required', said(await nobody.ask(ask)));
      trial.check(`${what}, a service's`, '401 tls.certificate_invalid', said(await service.ask(ask)));
      trial.check(`${what}, another's`, '401 auth.token_binding_mismatch', said(await thief.client.ask(ask)));
      const own = { ...ask, token: await thief.token(), body: JSON.stringify(thief.message()) };
      trial.check(`${what}, beside one's own`, '200 accepted', said(await thief.client.ask(own)));
      const form = {
        body: `grant_type=client_credentials&client_id=${car.id}`,
        contentType: 'application/x-www-form-urlencoded',
      };
      const asking = said(
        await nobody.ask({ ...form, service: 'token', method: 'POST', path: '/oauth2/token', headers }),
      );
      trial.check(`${what}, for a token`, '401 tls.certificate_required', asking);
    }
    const more = (await counted()) - before;
    trial.must('they are counted', more >= 9, `${more} more`, `${more} headers counted`);
    await deniedInLog('auth.client_cert_header_ignored', { service: 'telemetry', since: begun });
    await Promise.all([nobody.close(), service.close()]);
    await unharmed(trial);
  },
);
