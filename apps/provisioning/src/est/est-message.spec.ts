import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { createCertificationRequest, parseCertsOnlyCms } from '@outrider/x509';
import { encodeCertificates, errorText, readRequest, readUnprovenRequest } from './est-message.js';

const keys = generateKeyPairSync('ed25519');
const der = createCertificationRequest({ subject: 'device-12345', ...keys });
const base64 = Buffer.from(der).toString('base64');

describe('the request of an enrolment', () => {
  const spoilt = Buffer.from(der);
  spoilt[spoilt.length - 1]! ^= 1;
  const rsa = Buffer.from(
    generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' }),
  );

  it('is read with its proof of possession', () => {
    expect(readRequest(Buffer.from(base64)).subjectCommonName).toBe('device-12345');
  });

  test.each([
    ['half of it', base64.slice(0, 100), 'est.csr_malformed'],
    ['bytes after it', Buffer.concat([der, Buffer.from([0])]).toString('base64'), 'est.csr_malformed'],
    ['a broken signature', spoilt.toString('base64'), 'est.csr_signature_invalid'],
    ['another key of another kind', rsa.toString('base64'), 'est.csr_malformed'],
  ])('is refused as %s', (_what, body, code) => {
    expect(() => readRequest(Buffer.from(body))).toThrow(expect.objectContaining({ code }));
  });

  it('is read without its proof where the key will be another one', () => {
    expect(readUnprovenRequest(Buffer.from(spoilt.toString('base64'))).subjectCommonName).toBe('device-12345');
    expect(() => readUnprovenRequest(Buffer.from(base64.slice(0, 100)))).toThrow(
      expect.objectContaining({ code: 'est.csr_malformed' }),
    );
  });
});

describe('the answer', () => {
  it.each(['libest 3.2.0', 'curl/7.88.1', 'Go-http-client/1.1'])('comes in lines of 64 for %s', (agent) => {
    const lines = encodeCertificates([der, der], agent).trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.slice(0, -1).every((line) => line.length === 64)).toBe(true);
    expect(parseCertsOnlyCms(lines.join('\n'))).toEqual([new Uint8Array(der), new Uint8Array(der)]);
  });

  it.each([undefined, ''])('comes in one line and one line feed where no client names itself (%j)', (agent) => {
    const single = encodeCertificates([der, der], agent);
    expect(single.indexOf('\n')).toBe(single.length - 1);
    expect(parseCertsOnlyCms(single)).toEqual([new Uint8Array(der), new Uint8Array(der)]);
  });

  it('says code and sentence on one line', () => {
    const error = new DomainError('est.device_unknown', { detail: 'serialNumber 7' });
    expect(errorText(error)).toBe('est.device_unknown: The device is not in the registry. (serialNumber 7)\n');
  });
});
