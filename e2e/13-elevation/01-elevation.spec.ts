import { describe, expect, it } from '@jest/globals';
import { approverToken, operator, operatorToken } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';

interface Elevation {
  readonly elevation_id: string;
  readonly state: string;
  readonly ends_at: string;
}

const put = (token: string) =>
  operator('gateway', 'PUT', '/v1/policies', { token, body: {}, headers: { 'if-match': '"0"' } });

describe('an elevation', () => {
  let id: string;
  let token: string;

  it('is needed: nobody holds policy:write', async () => {
    expect(await put(operatorToken())).toMatchObject({ status: 403, body: { code: 'auth.scope_insufficient' } });
    const { code, stderr } = await outrider('elevation', 'request', '--scope', 'policy:write', '--reason', 'because');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('reason') });
  });

  it('is asked for, and gives nothing before it is approved', async () => {
    const args = ['--scope', 'policy:write', '--reason', 'the fence of the north depot', '--minutes', '5'];
    const asked = await outriderJson<Elevation>('elevation', 'request', ...args);
    expect(asked.state).toBe('requested');
    id = asked.elevation_id;
    expect((await outrider('token', '--elevation', id)).stderr).toContain('token.invalid_scope');
  });

  it('is not approved by a service account: that has no second factor', async () => {
    for (const by of [operatorToken(), approverToken()]) {
      const answer = await operator('token', 'POST', `/v1/elevations/${id}/approve`, { token: by });
      expect(answer).toMatchObject({ status: 401, body: { code: 'auth.step_up_required' } });
    }
    expect((await outrider('elevation', 'approve', id, '--as', 'local-approver')).code).toBe(4);
  });

  it('is approved by a person who has just signed in with two factors', async () => {
    await outriderJson('login', '--as', 'local-officer');
    const approved = await outriderJson<Elevation>('elevation', 'approve', id, '--as', 'local-officer');
    expect(approved.state).toBe('approved');
    expect(Date.parse(approved.ends_at) - Date.now()).toBeLessThanOrEqual(300_000);
    token = (await outriderJson<{ access_token: string }>('token', '--elevation', id)).access_token;
    const { status, body } = await put(token);
    expect([status, body.code]).not.toContain(403);
  }, 120_000);

  it('ended early, takes its tokens along', async () => {
    expect(await outriderJson('elevation', 'revoke', id)).toMatchObject({ state: 'revoked' });
    await until('its token is refused', async () => (await put(token)).body.code === 'denylist.token');
    expect((await outrider('token', '--elevation', id)).stderr).toContain('token.invalid_scope');
    const { history } = await outriderJson<{ history: { event: string }[] }>('elevation', 'show', id);
    expect(history.map(({ event }) => event)).toEqual(['requested', 'approved', 'revoked']);
  });
});
