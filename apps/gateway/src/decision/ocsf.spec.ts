import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it, test } from '@jest/globals';
import { Decision, OCSF_VERSION, OcsfDecision } from '@outrider/contracts';
import { ocsfDecision } from './ocsf.js';

const PYTHON = process.env['OUTRIDER_TEST_PYTHON'] ?? 'python3';
const BASE = {
  service: 'telemetry',
  instance: 'telemetry-00000001',
  decision: 'deny',
  code: 'denylist.device',
  listener: 'vehicle',
  action: 'POST /v1/telemetry',
  count: 3,
  since: '2026-01-01T00:00:00Z',
  at: '2026-01-01T00:00:01.500Z',
};

function ocsf(more: object) {
  return ocsfDecision({ ...Decision.parse({ ...BASE, ...more }), id: '7' });
}

const CASES: Record<string, object> = {
  'a refusal of a vehicle': {
    deviceId: 'device-1',
    thumbprint: `${'t'.repeat(42)}A`,
    tokenId: 'jti-1',
    remoteAddress: '::ffff:192.0.2.1',
    detail: 'stolen',
    traceId: 'a'.repeat(32),
    latencyMs: 0.12,
  },
  'a refusal by policies': { code: 'policy.denied', policies: ['night', 'not-driving'], subject: 'op:1' },
  'a handshake that failed': { code: 'tls.handshake_failed', action: 'TLS handshake', remoteAddress: '2001:db8::1' },
  'a token': {
    service: 'token',
    instance: 'token-00000001',
    action: 'POST /oauth2/token',
    decision: 'allow',
    code: 'ok',
  },
  'one of many sources': { action: 'various', detail: 'too many sources to tell apart' },
  'an operator who looks': {
    decision: 'allow',
    code: 'ok',
    listener: 'operator',
    action: 'GET /v1/x',
    subject: 'op:1',
  },
};

describe('a decision in the words of OCSF', () => {
  test.each(Object.entries(CASES))('%s keeps to the contract', (_name, more) => {
    expect(OcsfDecision.parse(ocsf(more))).toEqual(ocsf(more));
  });

  it('names who, from where, why and how often', () => {
    expect(ocsf(CASES['a refusal of a vehicle']!)).toMatchObject({
      class_uid: 6003,
      activity_id: 1,
      type_uid: 600301,
      status_id: 2,
      severity_id: 3,
      status_code: 'denylist.device',
      status_detail: 'stolen',
      count: 3,
      start_time: 1767225600000,
      time: 1767225601500,
      src_endpoint: { ip: '192.0.2.1' },
      dst_endpoint: { svc_name: 'telemetry', instance_uid: 'telemetry-00000001' },
      actor: { user: { uid: 'device-1', type_id: 3 }, session: { uid: 'jti-1' } },
      metadata: { uid: '7', correlation_uid: 'a'.repeat(32) },
      unmapped: { thumbprint: `${'t'.repeat(42)}A`, token_id: 'jti-1', latency_ms: 0.12 },
    });
    expect(ocsf(CASES['a refusal by policies']!)).toMatchObject({
      actor: { authorizations: [{ decision: 'deny', policy: { uid: 'night' } }, { policy: { uid: 'not-driving' } }] },
    });
  });

  test.each([
    ['a handshake that failed', 3002, 300201],
    ['a token', 3002, 300201],
    ['an operator who looks', 6003, 600302],
    ['one of many sources', 6003, 600399],
  ])('%s is of class %i', (name, class_uid, type_uid) => {
    expect(ocsf(CASES[name]!)).toMatchObject({ class_uid, type_uid });
  });

  test.each([
    [{ decision: 'allow', code: 'ok' }, 1],
    [{ code: 'auth.token_expired' }, 2],
    [{ code: 'tls.handshake_failed' }, 3],
    [{ code: 'auth.token_binding_mismatch' }, 4],
    [{ code: 'telemetry.replayed' }, 4],
  ])('%j has severity %i', (more, severity_id) => {
    expect(ocsf(more).severity_id).toBe(severity_id);
  });
});

const PROGRAM = `
import json, sys
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(sys.argv[1]))
names = {6003: 'api_activity', 3002: 'authentication'}
wrong = []
for event in json.load(sys.stdin):
    schema = schemas.get_class_schema(names[event['class_uid']])
    wrong += [f"{event['class_uid']} {list(e.path)}: {e.message}" for e in Draft202012Validator(schema).iter_errors(event)]
print(json.dumps(wrong))
`;
const installed = spawnSync(PYTHON, ['-c', 'import jsonschema, ocsf_json_schema']).status === 0;
const titled = installed ? 'the published schema' : 'the published schema (skipped: no Python with ocsf-json-schema)';

(installed ? describe : describe.skip)(titled, () => {
  it('finds nothing wrong, and would', () => {
    const judge = (events: object[]) =>
      JSON.parse(execFileSync(PYTHON, ['-c', PROGRAM, OCSF_VERSION], { input: JSON.stringify(events) }).toString());
    const events = Object.values(CASES).map(ocsf);
    expect(judge(events)).toEqual([]);
    expect(judge([{ ...events[0], class_name: undefined, surplus: 1 }])).not.toEqual([]);
  });
});
