import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ground, prepareGround, type Service, startService, stored, TestVehicle } from '../telemetry.fixture.js';

const PYTHON = '/usr/bin/python3';
const missing = whatIsMissing();

/** The client of issue 2, item 6: PyNaCl, its JSON printed by Python, sent with Python's own TLS. */
const CLIENT = `
import json, ssl, sys, time, http.client
from urllib.parse import urlsplit
from nacl.signing import SigningKey
seed, device_id, url, ca, certificate, key, token, extra = sys.argv[1:9]
signing_key = SigningKey(bytes.fromhex(seed))
telemetry = {"lat": 37.42, "lon": -122.08, "speed": 42.3}
telemetry.update(json.loads(extra))
payload = {"device_id": device_id, "seq": int(sys.argv[9]), "ts": eval(sys.argv[10]), "telemetry": telemetry}
message = json.dumps(payload, separators=(',', ':'), sort_keys=True).encode()
signature = signing_key.sign(message).signature.hex()
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(certificate, key)
where = urlsplit(url)
connection = http.client.HTTPSConnection(where.hostname, where.port, context=context)
connection.request("POST", "/v1/telemetry", json.dumps({"payload": payload, "signature": signature}),
    {"Content-Type": "application/json", "Authorization": "Bearer " + token})
response = connection.getresponse()
print(json.dumps({"status": response.status, "body": json.loads(response.read())}))
`;

const describeOrSkip = missing ? describe.skip : describe;

describeOrSkip(`a client in Python${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let ground: Ground;
  let service: Service;
  let car: TestVehicle;
  let directory: string;

  beforeAll(async () => {
    ground = await prepareGround();
    service = await startService(ground, 1);
    car = await TestVehicle.create(ground, 'device-12345', 'Ed25519');
    directory = mkdtempSync(join(tmpdir(), 'outrider-python-'));
    writeFileSync(
      join(directory, 'ca.pem'),
      ground.fleet.root.certificatePem + ground.fleet.infrastructureCa.certificatePem,
    );
    writeFileSync(join(directory, 'device.crt'), car.party.certificatePem);
    writeFileSync(join(directory, 'device.key'), car.party.privateKeyPem, { mode: 0o600 });
    writeFileSync(join(directory, 'client.py'), CLIENT);
  }, 60_000);

  afterAll(async () => {
    car?.close();
    await service?.close();
    await ground?.stop();
    if (directory) rmSync(directory, { recursive: true });
  });

  const send = async (seq: number, extra: string, ts: string): Promise<{ status: number; body: object }> => {
    const jwk = createPrivateKey(car.party.privateKeyPem).export({ format: 'jwk' });
    const seed = Buffer.from(jwk.d!, 'base64url').toString('hex');
    const file = (name: string) => join(directory, name);
    const { execFile } = await import('node:child_process');
    const { promisify } = await import('node:util');
    const { stdout } = await promisify(execFile)(PYTHON, [
      file('client.py'),
      seed,
      car.deviceId,
      service.vehicleUrl,
      file('ca.pem'),
      file('device.crt'),
      file('device.key'),
      car.token(),
      extra,
      String(seq),
      ts,
    ]);
    return JSON.parse(stdout);
  };

  it("is accepted with its certificate's own Ed25519 key and a hex signature", async () => {
    expect(await send(1234, '{}', 'int(time.time())')).toMatchObject({
      status: 200,
      body: { results: [{ seq: 1234, verdict: 'accepted' }], accepted: 1 },
    });
  });

  it.each([
    ['floats that JCS prints otherwise', '{"speed": 42.0, "tiny": 1e-7, "big": 1e+22}', 'int(time.time())'],
    ['escapes that JCS prints otherwise', '{"street": "Caf\\u00e9 \\ud83d\\ude97 \\u007f"}', 'int(time.time())'],
    ['a timestamp with a fraction', '{}', 'time.time()'],
    ['a timestamp printed as a float', '{}', 'float(int(time.time()))'],
    ['names sorted by code point', '{"\\ufb33": 1, "\\ud83d\\ude02": 2.0}', 'int(time.time())'],
  ])('is accepted with %s', async (_what, extra, ts) => {
    const seq = 2000 + (await stored(ground, car.deviceId)).length;
    expect(await send(seq, extra, ts)).toMatchObject({
      status: 200,
      body: { results: [{ seq, verdict: 'accepted' }] },
    });
  });
});

function whatIsMissing(): string | undefined {
  try {
    execFileSync(PYTHON, ['-c', 'import nacl.signing'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'python3-nacl';
  }
}
