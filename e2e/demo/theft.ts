/** The key is copied; the identity is revoked; from then on it opens nothing, anywhere. */
import { readFileSync } from 'node:fs';
import { parseCertificate, parseCrl } from '@outrider/x509';
import { request } from 'undici';
import type { Agent } from '../harness/agent.js';
import { certificateFileOf, keyFileOf } from '../harness/agent-state.js';
import { enforcedByAll } from '../harness/enforcement.js';
import { newRequest } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { type Ask, Thief, untilRefused } from '../harness/thief.js';
import { until } from '../harness/until.js';
import type { Timeline } from './timeline.js';

const MUST_WITHIN_MS = 1000;

export async function theft(timeline: Timeline, deviceId: string, state: string, agent: Agent): Promise<void> {
  const [certificate, key] = [certificateFileOf(state), keyFileOf(state)];
  const thieves = new Map<string, { thief: Thief; ask: Ask }>();
  for (const ask of await whatTheKeyOpens(deviceId, certificate, key)) {
    const thief = new Thief(certificate, key);
    const seen = await thief.ask(ask);
    timeline.must(
      `before the revocation the copied key works on ${ask.service}`,
      seen.status === 200 || seen.status === 204,
      seen,
    );
    thieves.set(ask.service, { thief, ask });
  }
  timeline.line(`the key is copied; it opens ${[...thieves.keys()].join(', ')}`);

  const begun = performance.now();
  const refusals = [...thieves.values()].map(({ thief, ask }) => untilRefused(thief, ask, begun, 5000));
  const revoked = await operator('revocation', 'POST', '/revoke?wait=enforced', {
    body: { device_id: deviceId, reason: 'key-compromise' },
  });
  timeline.must('the revocation is accepted', revoked.status === 200 && enforcedByAll(revoked.body), revoked.body);
  timeline.line(`POST /revoke answered: enforced by ${revoked.body.enforcedBy.length} instances`, revoked.ms);
  const services = [...thieves.keys()];
  for (const [index, refusal] of (await Promise.all(refusals)).entries()) {
    const service = services[index];
    timeline.must(`${service} refuses within a second`, refusal !== undefined && refusal.ms < MUST_WITHIN_MS, refusal);
    timeline.line(
      `from the operator's request to refusal on ${service}: ${refusal!.seen.status} ${codeOf(refusal!.seen.body)}`,
      refusal!.ms,
    );
  }
  for (const { thief } of thieves.values()) await thief.close();
  const denied = await agent.seen('denied');
  timeline.line(`the vehicle itself sees: ${denied.service} ${denied.code}`);
  await evidence(timeline, deviceId, certificate);
}

async function whatTheKeyOpens(deviceId: string, certificate: string, key: string): Promise<Ask[]> {
  const thief = new Thief(certificate, key);
  const telemetry = await thief.token(deviceId, 'telemetry:write');
  const control = await thief.token(deviceId, 'command:receive');
  await thief.close();
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: deviceId,
    scope: 'telemetry:write',
  }).toString();
  return [
    {
      service: 'token',
      method: 'POST',
      path: '/oauth2/token',
      body: form,
      contentType: 'application/x-www-form-urlencoded',
    },
    { service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token: telemetry },
    { service: 'command', method: 'GET', path: '/v1/commands/next?wait=0', token: control },
    {
      service: 'provisioning',
      method: 'POST',
      path: '/.well-known/est/simplereenroll',
      body: await newRequest(key, `/CN=${deviceId}`),
      contentType: 'application/pkcs10',
    },
  ];
}

/** What stays: the CRL, signed by the fleet, and the log of refusals. */
async function evidence(timeline: Timeline, deviceId: string, certificateFile: string): Promise<void> {
  const certificate = parseCertificate(readFileSync(certificateFile, 'utf8'));
  const [url] = certificate.crlDistributionPoints ?? [];
  timeline.must('the certificate names its CRL', url !== undefined, certificate);
  const begun = performance.now();
  const entry = await until('the CRL lists it', async () => {
    const answer = await request(url!);
    const bytes = new Uint8Array(await answer.body.arrayBuffer());
    return answer.statusCode === 200 && parseCrl(bytes).revoked.get(certificate.serialNumber);
  });
  timeline.line(`the CRL lists ${certificate.serialNumber.slice(0, 8)}...: ${entry.reason}`, performance.now() - begun);
  const log = await until('the decision log has it', async () => {
    const { body } = await operator('gateway', 'GET', `/v1/decisions?device=${deviceId}&limit=100`);
    const denies = (body.items as { decision: string; code: string; service: string }[]).filter(
      ({ decision }) => decision === 'deny',
    );
    return denies.some(({ code }) => code.startsWith('denylist.')) && denies;
  });
  const codes = [...new Set(log.map(({ service, code }) => `${service} ${code}`))];
  timeline.line(`the decision log: ${codes.slice(0, 3).join(', ')}${codes.length > 3 ? ', ...' : ''}`);
}

function codeOf(body: string): string {
  return /"code":"([^"]+)"/.exec(body)?.[1] ?? /^[a-z]+\.[a-z_.]+/.exec(body)?.[0] ?? body.slice(0, 60).trim();
}
