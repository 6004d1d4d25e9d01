import { deniedInLog } from '../harness/decisions.js';
import { Prover, proven } from '../harness/dpop.js';
import { file } from '../harness/folder.js';
import { newKey } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { must } from '../harness/run.js';
import { type Ask, Thief } from '../harness/thief.js';
import { until } from '../harness/until.js';
import { attack } from './attack.js';
import { attacker, type Party, unharmed, victim } from './cast.js';
import { said } from './said.js';

async function whatItOpens(car: Party): Promise<Ask[]> {
  const token = await car.token();
  const control = await car.token('command:receive');
  const body = JSON.stringify(car.message());
  return [
    { service: 'telemetry', method: 'POST', path: '/v1/telemetry', token, body },
    { service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token },
    { service: 'command', method: 'GET', path: '/v1/commands/next?wait=0', token: control },
    { service: 'command', method: 'GET', path: '/v1/commands/stream', token: control },
  ];
}

export const stolenToken = attack(
  9,
  "presents a stolen token over another vehicle's connection",
  '401 invalid_token (cnf mismatch)',
  async (trial) => {
    const [car, thief] = [await victim(), await attacker()];
    const stolen = await whatItOpens(car);
    for (const ask of stolen)
      trial.check(`${ask.method} ${ask.path}`, '401 auth.token_binding_mismatch', said(await thief.client.ask(ask)));
    const answer = await thief.vehicle.sendTelemetry(thief.message(), await car.token());
    const challenge = answer.headers['www-authenticate'] ?? 'none';
    trial.must('WWW-Authenticate says invalid_token', /error="invalid_token"/.test(challenge), challenge);
    await deniedInLog('auth.token_binding_mismatch', { device: thief.id, service: 'telemetry' });
    const { jti } = JSON.parse(Buffer.from(stolen[0]?.token?.split('.')[1] ?? '', 'base64url').toString());
    const log = `/v1/decisions?token=${jti}&code=auth.token_binding_mismatch&device=${thief.id}`;
    const named = async () => (await operator('gateway', 'GET', log)).body.items.length > 0;
    await until('the log names the stolen token', named, { withinMs: 20_000 });
    const [key, another] = [new Prover(), new Prover()];
    const bound = await key.token(car.client, car.id, 'telemetry:write');
    const ask: Ask = { service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token: bound };
    trial.must('a token bound to a key, with it', said(await key.ask(car.client, ask)) === '200', 'refused');
    trial.check('with the key of another', '401 auth.token_binding_mismatch', said(await another.ask(car.client, ask)));
    trial.check("over another's connection", '401 auth.token_binding_mismatch', said(await key.ask(thief.client, ask)));
    const proof = key.proof(ask, { nonce: await key.nonce(car.client, ask) });
    trial.must('a proof', said(await car.client.ask(proven(ask, proof))) === '200', 'refused');
    trial.check('the same proof again', '401 auth.dpop_replayed', said(await car.client.ask(proven(ask, proof))));
    await unharmed(trial);
  },
);

export const tokenWithoutCertificate = attack(
  10,
  'presents a certificate-bound token with no client certificate',
  'refused at TLS, or 401; never bearer',
  async (trial) => {
    const car = await victim();
    const begun = new Date();
    const nobody = new Thief();
    for (const ask of await whatItOpens(car))
      trial.check(`${ask.method} ${ask.path}`, /^(401 (tls|auth)\..*|no answer)$/, said(await nobody.ask(ask)));
    await nobody.close();
    await deniedInLog('tls.certificate_required', { service: 'telemetry', since: begun });
    const prover = new Prover();
    const bound = await prover.token(car.client, car.id, 'telemetry:write');
    const ask: Ask = { service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token: bound };
    const stranger = new Thief();
    trial.check('a DPoP token as bearer', '401 auth.dpop_required', said(await car.client.ask(ask)));
    trial.check('with its key, no certificate', '401 tls.certificate_required', said(await prover.ask(stranger, ask)));
    const unbound = { ...ask, token: await car.token() };
    trial.check(
      'bound to no key, as DPoP',
      '401 auth.token_binding_mismatch',
      said(await prover.ask(car.client, unbound)),
    );
    await stranger.close();
    const key = await newKey('same-name.key', 'P-256');
    const names = `subjectAltName=URI:spiffe://fleet.example.com/vehicle/${car.id}`;
    const args = ['req', '-x509', '-key', key, '-subj', `/CN=${car.id}`, '-days', '1', '-addext', names];
    const double = new Thief(file('same-name.crt', (await must('openssl', args)).stdout), key);
    for (const ask of await whatItOpens(car))
      trial.check(`a self-made one, ${ask.path}`, /^(401 tls\..*|no answer)$/, said(await double.ask(ask)));
    await double.close();
    await unharmed(trial);
  },
);
