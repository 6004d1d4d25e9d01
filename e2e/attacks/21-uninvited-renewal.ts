import { deniedInLog } from '../harness/decisions.js';
import { enforcedByAll } from '../harness/enforcement.js';
import { file } from '../harness/folder.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { until } from '../harness/until.js';
import { est, Vehicle } from '../harness/vehicle.js';
import { attack } from './attack.js';
import { unharmed, victim } from './cast.js';
import { said } from './said.js';

/** Renews with a new key, and uses the new certificate. */
async function renewed(vehicle: Vehicle, name: string): Promise<Vehicle> {
  const key = await newKey(`${vehicle.id}-${name}.key`, 'P-256');
  const answer = await est('simplereenroll', await newRequest(key, `/CN=${vehicle.id}`), vehicle);
  if (answer.status !== 200) throw new Error(`${vehicle.id} was not renewed: ${answer.status} ${answer.body}`);
  const [leaf = ''] = await certificatesOf(answer.body);
  const next = new Vehicle(vehicle.id, key, file(`${vehicle.id}-${name}.crt`, leaf), vehicle.factory);
  await next.token();
  return next;
}

async function statusOf(vehicle: Vehicle): Promise<string | undefined> {
  const { body } = await operator('provisioning', 'GET', `/v1/devices/${vehicle.id}`);
  const thumbprint = await vehicle.thumbprint();
  return body.certificates.find((one: { thumbprint: string }) => one.thumbprint === thumbprint)?.status;
}

export const uninvitedRenewal = attack(
  21,
  "re-enrols with a revoked, a superseded or another vehicle's certificate",
  'refused each',
  async (trial) => {
    const car = await victim();
    const first = await Vehicle.enrol('renewer');
    const ask = async (vehicle: Vehicle, key = vehicle.key, name = vehicle.id) =>
      said(await est('simplereenroll', await newRequest(key, `/CN=${name}`), vehicle));

    trial.check("in another's name", '400 est.csr_name_mismatch', await ask(first, first.key, car.id));
    trial.check("for another's key", '400 est.csr_key_refused', await ask(first, car.vehicle.key));
    await first.token();
    await until('the first is live', async () => (await statusOf(first)) === 'live');
    const second = await renewed(first, 'second');
    await until('the second is live', async () => (await statusOf(second)) === 'live');
    const third = await renewed(second, 'third');
    await until('the first is superseded', async () => (await statusOf(first)) === 'superseded');
    trial.check('the superseded one', /^403 (est\.certificate_refused|denylist\.[a-z]+)$/, await ask(first));
    const anew = await newKey('anew.key', 'P-256');
    trial.check(
      'the superseded one, a new key',
      /^403 (est\.certificate_refused|denylist\.[a-z]+)$/,
      await ask(first, anew),
    );
    for (const label of ['grace', 'open', 'approve']) {
      const request = await newRequest(anew, `/CN=${first.id}`);
      const at = said(await est(`${label}/simplereenroll`, request, first));
      trial.check(`the superseded one, at ${label}`, /^403 (est\.certificate_refused|denylist\.[a-z]+)$/, at);
    }

    const body = { device_id: first.id, reason: 'key-compromise' };
    const revoked = await operator('revocation', 'POST', '/revoke?wait=enforced', { body });
    trial.must('the revocation', revoked.status === 200 && enforcedByAll(revoked.body), revoked.body);
    for (const [what, vehicle] of Object.entries({ second, third }))
      for (const key of [vehicle.key, anew])
        trial.check(`the revoked ${what}`, /^403 (est\.[a-z_]+|denylist\.[a-z]+)$/, await ask(vehicle, key));
    const again = said(await est('simpleenroll', await newRequest(anew, `/CN=${first.id}`), first.factory));
    trial.check('the factory certificate', /^403 (est\.[a-z_]+|denylist\.[a-z]+)$/, again);
    await until('a refusal in the log', () =>
      deniedInLog('denylist.certificate', { device: first.id, service: 'provisioning' }),
    );
    await unharmed(trial);
  },
);
