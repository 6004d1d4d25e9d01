import type { ConnectionOptions } from 'node:tls';
import { enforcedByAll } from '../harness/enforcement.js';
import { operator } from '../harness/operator.js';
import { until } from '../harness/until.js';
import { head, Wire } from '../harness/wire.js';
import { attack, type Trial } from './attack.js';
import { Party, unharmed } from './cast.js';
import { said } from './said.js';

interface Door {
  readonly service: 'telemetry' | 'command';
  readonly request: string;
}

interface Kept extends Door {
  readonly what: string;
  readonly options: ConnectionOptions;
}

/** Sessions of both TLS versions, from connections on which the certificate was shown and a request was answered. */
async function sessions(trial: Trial, car: Party, { service, request }: Door): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const tls = { minVersion: version, maxVersion: version };
    const wire = await Wire.open(service, { ...car.files(), ...tls });
    let session = version === 'TLSv1.2' ? wire.socket.getSession() : undefined;
    wire.socket.on('session', (ticket) => {
      session = ticket;
    });
    trial.must(`${service}, ${version} before`, [200, 204].includes((await wire.ask(request)).status), wire.received);
    const taken = await until(`a session of ${version}`, () => session);
    wire.close();
    const door = { service, request };
    kept.push({
      ...door,
      what: `${service}, ${version}, with the key`,
      options: { ...tls, ...car.files(), session: taken },
    });
    kept.push({ ...door, what: `${service}, ${version}, the session alone`, options: { ...tls, session: taken } });
  }
  return kept;
}

export const resumedSession = attack(15, 'resumes a TLS session after revocation', 'refused', async (trial) => {
  const car = await Party.enrol('resumed');
  const by = async (scope?: string) => ({ authorization: `Bearer ${await car.token(scope)}` });
  const kept = [
    ...(await sessions(trial, car, { service: 'telemetry', request: head('GET', '/v1/telemetry/window', await by()) })),
    ...(await sessions(trial, car, {
      service: 'command',
      request: head('GET', '/v1/commands/next?wait=0', await by('command:receive')),
    })),
  ];
  const resumed = await Wire.open('telemetry', kept[0]!.options);
  trial.note(resumed.socket.isSessionReused() ? 'resumed before it' : 'not even resumed before it');
  resumed.close();
  const body = { device_id: car.id, reason: 'key-compromise' };
  const revoked = await operator('revocation', 'POST', '/revoke?wait=enforced', { body });
  trial.must('the revocation', revoked.status === 200 && enforcedByAll(revoked.body), revoked.body);
  for (const { what, service, request, options } of kept) {
    const wire = await Wire.open(service, options).catch(() => undefined);
    const seen = wire ? said(await wire.ask(request)) : 'no answer';
    trial.check(what, /^(no answer|40[13] (denylist|tls|auth)\.[a-z_]+)$/, seen);
    wire?.close();
  }
  await unharmed(trial);
});
