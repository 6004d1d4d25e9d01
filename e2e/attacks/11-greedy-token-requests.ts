import { deniedInLog } from '../harness/decisions.js';
import { attack } from './attack.js';
import { attacker, Party, unharmed, victim } from './cast.js';
import { said } from './said.js';

/** A token request with any form. */
async function ask(
  party: Party,
  fields: Record<string, string>,
): Promise<{ seen: string; body: Record<string, unknown> }> {
  const form = { grant_type: 'client_credentials', client_id: party.id, ...fields };
  const answer = await party.client.ask({
    service: 'token',
    method: 'POST',
    path: '/oauth2/token',
    body: new URLSearchParams(form).toString(),
    contentType: 'application/x-www-form-urlencoded',
  });
  const body = JSON.parse(answer.body) as Record<string, unknown>;
  return { seen: [answer.status, body.error].filter(Boolean).join(' '), body };
}

export const anotherClient = attack(
  11,
  "asks the token endpoint for another vehicle's client_id",
  '401 invalid_client',
  async (trial) => {
    const [car, thief] = [await victim(), await attacker()];
    const names = [car.id, car.id.toUpperCase(), `${thief.id} `, `${car.id},${thief.id}`, '*', ''];
    for (const client_id of names)
      trial.check(
        `client_id "${client_id}"`,
        /^40[01] invalid_(client|request)$/,
        (await ask(thief, { client_id })).seen,
      );
    const { seen, body } = await ask(thief, { client_id: car.id, scope: 'command:receive' });
    trial.check('for control', '401 invalid_client', seen);
    trial.must('it has a code', typeof body.code === 'string', body);
    const twice = await thief.client.ask({
      service: 'token',
      method: 'POST',
      path: '/oauth2/token',
      body: `grant_type=client_credentials&client_id=${thief.id}&client_id=${car.id}`,
      contentType: 'application/x-www-form-urlencoded',
    });
    trial.check('both at once', /^400 /, said(twice));
    await deniedInLog(String(body.code), { device: thief.id, service: 'token' });
    await unharmed(trial);
  },
);

export const greedyScopes = attack(
  12,
  'asks for control scope without the grant, mixes scopes, asks for a lifetime of a day',
  'invalid_scope; lifetime clamped',
  async (trial) => {
    const modest = await Party.enrol('modest', '--grant', 'command:receive');
    const scopes = [
      'command:critical',
      'command:receive command:critical',
      'telemetry:write command:receive',
      'device:write',
      'command:receive revoke',
      'telemetry:write\u0000command:critical',
      'TELEMETRY:WRITE',
      'telemetry:*',
    ];
    for (const scope of scopes)
      trial.check(`scope "${scope}"`, '400 invalid_scope', (await ask(modest, { scope })).seen);
    for (const [scope, most] of [
      ['telemetry:write', 300],
      ['command:receive', 60],
    ] as const) {
      const { seen, body } = await ask(modest, { scope, requested_lifetime: '86400' });
      trial.must(
        `${scope} for a day`,
        seen === '200' && Number(body.expires_in) <= most,
        [seen, body.expires_in],
        `clamped to ${body.expires_in} s`,
      );
    }
    for (const requested_lifetime of ['-1', '0', '1e9', 'day'])
      trial.check(
        `a lifetime of ${requested_lifetime}`,
        /^(200|400 invalid_request)$/,
        (await ask(modest, { requested_lifetime })).seen,
      );
    await deniedInLog('token.invalid_scope', { device: modest.id, service: 'token' });
    await unharmed(trial);
  },
);
