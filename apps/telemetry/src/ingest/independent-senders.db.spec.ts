import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ground, prepareGround, type Service, startService, TestVehicle } from '../telemetry.fixture.js';

/** Debian's first: another Python on the PATH has its own packages. */
const PYTHONS = ['/usr/bin/python3', 'python3'];
const PACKAGES = 'cbor2, cryptography';
const python = PYTHONS.find((one) => spawnSync(one, ['-c', `import ${PACKAGES}`], { stdio: 'ignore' }).status === 0);
const missing = python
  ? ''
  : ` (skipped: Python with ${PACKAGES} is not installed: python3-cbor2, python3-cryptography)`;
const program = fileURLToPath(new URL('../../../../vectors/telemetry.py', import.meta.url));

interface Sent {
  readonly name: string;
  readonly type: string;
  readonly body: string;
  readonly seqs: readonly number[];
}

(python ? describe : describe.skip)(`a sender in Python, with libraries of its own${missing}`, () => {
  let ground: Ground;
  let service: Service;
  let directory: string;

  beforeAll(async () => {
    ground = await prepareGround();
    service = await startService(ground, 1);
    directory = mkdtempSync(join(tmpdir(), 'outrider-senders-'));
  }, 60_000);

  afterAll(async () => {
    await service?.close();
    await ground?.stop();
    if (directory) rmSync(directory, { recursive: true });
  });

  it.each(['Ed25519', 'P-256', 'P-384'] as const)(
    'is understood in every format, with a %s key',
    async (keyType) => {
      const car = await TestVehicle.create(ground, `device-python-${keyType.toLowerCase()}`, keyType);
      const pem = join(directory, `${car.deviceId}.key`);
      writeFileSync(pem, car.party.privateKeyPem, { mode: 0o600 });
      const args = [program, 'send', pem, car.deviceId, car.party.certificate.thumbprint];
      const bodies = JSON.parse(execFileSync(python!, args, { encoding: 'utf8' })) as Sent[];
      expect(bodies.length).toBeGreaterThan(20);
      for (const { name, type, body, seqs } of bodies) {
        const answer = await car.post(service, Buffer.from(body, 'base64'), type);
        const results = seqs.map((seq) => ({ seq, verdict: 'accepted' }));
        expect([name, answer.status, answer.body.results]).toEqual([name, 200, results]);
      }
      car.close();
    },
    120_000,
  );
});
