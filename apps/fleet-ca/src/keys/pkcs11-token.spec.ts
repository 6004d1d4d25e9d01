import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readManifest } from '../ceremony/manifest.store.js';
import { makeSoftToken, missingForTokens, type SoftToken } from './soft-token.fixture.js';

const missing = missingForTokens();
const withToken = missing === undefined ? describe : describe.skip;
const dist = join(import.meta.dirname, '..');

withToken(`CA keys in a token (skipped where something is missing: ${missing ?? 'nothing is'})`, () => {
  let folder: string;
  let token: SoftToken;
  const ceremony = (...given: string[]) => {
    const { module, tokenLabel, pinFile, env } = token;
    const shared = ['--out', join(folder, 'ca'), '--trust-domain', 'fleet.example.com'];
    const where = ['--pkcs11-module', module, '--token-label', tokenLabel, '--pin-file', pinFile];
    const command = [join(dist, 'ceremony.command.js'), ...given, ...shared, '--passphrase-file', join(folder, 'pass')];
    const { status, stdout, stderr } = spawnSync(process.execPath, [...command, ...where], { env });
    return { status, stderr: stderr.toString(), made: stdout.length > 0 ? JSON.parse(stdout.toString()).made : [] };
  };
  const trust = (name: string) => join(folder, 'ca', 'trust', name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'outrider-token-'));
    writeFileSync(join(folder, 'pass'), 'a passphrase of forty-one characters 2718\n', { mode: 0o600 });
    token = makeSoftToken(folder);
    expect(ceremony('create').made).toHaveLength(4);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  jest.setTimeout(120_000);

  it('makes the issuing CAs’ keys in the token, and leaves the root’s a file to be taken offline', () => {
    expect(readdirSync(join(folder, 'ca', 'keys'))).toEqual(['fleet-root.key']);
    const manifest = readManifest(join(folder, 'ca', 'authorities.json'));
    expect(manifest['vehicle-ca']?.generations[0]?.key).toEqual({ kind: 'pkcs11', label: 'vehicle-ca-1' });
    expect(ceremony('create')).toMatchObject({ status: 0, made: [] });
  });

  it('signs servers’ certificates, further authorities and the next generation with them', () => {
    const to = join(folder, 'services');
    expect(ceremony('issue-server', '--to', to, '--service', 'token').made).toEqual(['token']);
    expect(ceremony('create-authority', '--name', 'vehicle-ca-trucks').made).toEqual(['vehicle-ca-trucks']);
    expect(ceremony('rollover', '--authority', 'vehicle-ca')).toMatchObject({ status: 0 });
    expect(existsSync(join(folder, 'ca', 'keys', 'vehicle-ca.2.key'))).toBe(false);
    for (const leaf of [trust('vehicle-ca.1.crt'), trust('vehicle-ca.2.crt'), trust('vehicle-ca-trucks.1.crt')]) {
      const verify = ['verify', '-x509_strict', '-CAfile', trust('fleet-root.crt'), leaf];
      expect(execFileSync('openssl', verify).toString()).toContain('OK');
    }
    const served = ['-untrusted', trust('infrastructure-ca.crt'), join(to, 'token.crt')];
    expect(
      execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', trust('fleet-root.crt'), ...served]).toString(),
    ).toContain('OK');
  });

  it('stops, and makes nothing, where the token is not named or the PIN is wrong', () => {
    const before = readFileSync(join(folder, 'ca', 'authorities.json'), 'utf8');
    writeFileSync(token.pinFile, 'wrong\n');
    const { status, stderr } = ceremony('rollover', '--authority', 'control-ca');
    writeFileSync(token.pinFile, '87654321\n');
    expect([status, stderr]).toEqual([1, expect.stringContaining('CKR_PIN_INCORRECT')]);
    expect(readFileSync(join(folder, 'ca', 'authorities.json'), 'utf8')).toBe(before);
  });

  it('uses a key that cannot be taken out, off the event loop, and outlives its session', () => {
    const { module, tokenLabel, pinFile, env } = token;
    const trial = [join(dist, 'keys', 'token-trial.fixture.js'), module, tokenLabel, pinFile, 'vehicle-ca-1'];
    const seen = JSON.parse(execFileSync(process.execPath, trial, { env }).toString());
    expect(seen).toMatchObject({
      signatures: [true, true, true],
      again: expect.stringContaining('is in the token already'),
      exported: expect.stringMatching(/CKR_ATTRIBUTE_SENSITIVE/),
      // Sensitive, not extractable, always so, never otherwise, made in the token.
      flags: [true, false, true, true, true],
      refused: 300 - 256,
      afterLoss: true,
      wrongPin: [expect.stringContaining('CKR_PIN_INCORRECT'), expect.stringContaining('it is not tried again')],
      lost: expect.stringContaining('no token elsewhere is there'),
    });
    for (const code of [seen.again, ...seen.wrongPin, seen.lost]) expect(code).toMatch(/^ca\.key_unavailable/);
  });
});
