import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Decision } from '@outrider/contracts';
import { until } from '@outrider/testing';
import { operatorClaims, sign } from './access-token.fixture.js';
import { AdmissionGround, code } from './admission-ground.fixture.js';
import { readDecisions } from './decision-log.fixture.js';

let ground: AdmissionGround;
let gateway: NatsConnection;

/** A rate that gives nothing back while a test runs: what is left is what was not asked. */
beforeAll(async () => {
  ground = await AdmissionGround.start({ rateLimit: { perSecond: 0.01, burst: 3 } });
  gateway = await ground.ground.nats.connectAs('gateway');
}, 60_000);

afterAll(async () => {
  await gateway?.close();
  await ground?.stop();
});

const account = (more: object = {}) => sign(operatorClaims({ sub: `op:${randomUUID()}`, ...more }));
const ask = (path: string, token: string) => ground.ask(path, { listener: 'operator', token });
const POLICY = '"operator";q=3;w=300';

describe("an operator's account", () => {
  it('is told in each answer what is left, and over its rate when to come again', async () => {
    const token = account();
    for (const left of [2, 1, 0]) {
      const { status, headers } = await ask('/fleet', token);
      expect({ status, policy: headers['ratelimit-policy'] }).toEqual({ status: 200, policy: POLICY });
      expect(headers.ratelimit).toMatch(new RegExp(`^"operator";r=${left};t=\\d+$`));
    }
    const refused = await ask('/fleet', token);
    expect({ status: refused.status, code: code(refused) }).toEqual({ status: 429, code: 'request.too_many' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
    expect(refused.headers).toMatchObject({
      'content-type': expect.stringContaining('application/problem+json'),
      'ratelimit-policy': POLICY,
      ratelimit: `"operator";r=0;t=${refused.headers['retry-after']}`,
    });
  });

  it('has its rate to itself, whatever token of it is shown', async () => {
    const sub = `op:${randomUUID()}`;
    for (const status of [200, 200, 200, 429]) expect((await ask('/fleet', account({ sub }))).status).toBe(status);
    expect((await ask('/fleet', account())).status).toBe(200);
  });

  it('is charged for nothing that it did not get in with', async () => {
    const sub = `op:${randomUUID()}`;
    for (let n = 0; n < 5; n++) {
      const refused = await ask('/fleet', account({ sub, scope: 'evidence:read' }));
      expect({ status: refused.status, fields: refused.headers.ratelimit }).toEqual({ status: 403, fields: undefined });
    }
    expect((await ask('/fleet', account({ sub }))).headers.ratelimit).toMatch('r=2;');
  });

  it('takes out of service whatever it asked before, and is not charged for it', async () => {
    const sub = `op:${randomUUID()}`;
    for (let n = 0; n < 5; n++) {
      const { status, headers } = await ask('/out-of-service', account({ sub }));
      expect({ status, fields: headers.ratelimit }).toEqual({ status: 200, fields: undefined });
    }
    for (const status of [200, 200, 200, 429]) expect((await ask('/fleet', account({ sub }))).status).toBe(status);
    expect((await ask('/out-of-service', account({ sub }))).status).toBe(200);
  });

  it('is named in the decision log when it asks too much', async () => {
    const sub = `op:${randomUUID()}`;
    for (let n = 0; n < 4; n++) await ask('/fleet', account({ sub }));
    const found: Decision[] = [];
    await until(async () => {
      found.push(...(await readDecisions(gateway, 'telemetry')));
      return found.some((one) => one.subject === sub && one.code === 'request.too_many' && one.decision === 'deny');
    });
  });
});
