import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import { createCertificationRequest, parseCertsOnlyCms, toPem } from '@outrider/x509';
import { encodeCertificates, errorText, readRequest } from './est-message.js';

const keys = generateKeyPairSync('ed25519');
const der = createCertificationRequest({ subject: 'device-12345', ...keys });
const base64 = Buffer.from(der).toString('base64');

describe('the body of an enrolment', () => {
  test.each([
    ['one line', base64],
    ['one line and a line feed', `${base64}\n`],
    ['lines of 64 with CRLF', base64.replace(/.{64}/g, '$&\r\n')],
    ['lines of 76 with blanks', ` ${base64.replace(/.{76}/g, '$& \n\t')}`],
    ['PEM', toPem(der, 'CERTIFICATE REQUEST')],
    ['PEM by its old label', toPem(der, 'NEW CERTIFICATE REQUEST')],
  ])('is read as %s', (_form, body) => {
    expect(readRequest(Buffer.from(body)).subjectCommonName).toBe('device-12345');
  });

  const spoilt = Buffer.from(der);
  spoilt[spoilt.length - 1]! ^= 1;
  test.each([
    ['nothing', Buffer.alloc(0), 'est.csr_malformed'],
    ['text', Buffer.from('hello'), 'est.csr_malformed'],
    ['half of it', Buffer.from(base64.slice(0, 100)), 'est.csr_malformed'],
    ['bare DER', Buffer.from(der), 'est.csr_malformed'],
    ['a broken signature', Buffer.from(spoilt.toString('base64')), 'est.csr_signature_invalid'],
    ['25 KiB', Buffer.alloc(25 * 1024, 'A'), 'est.csr_malformed'],
  ])('is refused as %s', (_what, body, code) => {
    expect(() => readRequest(body)).toThrow(expect.objectContaining({ code }));
  });
});

describe('the answer', () => {
  it('comes in lines of 64, and in one line where no client names itself', () => {
    const lines = encodeCertificates([der, der], 'libest/3.2').trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.slice(0, -1).every((line) => line.length === 64)).toBe(true);
    const single = encodeCertificates([der, der], undefined);
    expect(single.indexOf('\n')).toBe(single.length - 1);
    expect(parseCertsOnlyCms(single)).toEqual([new Uint8Array(der), new Uint8Array(der)]);
    expect(parseCertsOnlyCms(lines.join('\n'))).toEqual(parseCertsOnlyCms(single));
  });

  it('says code and sentence on one line', () => {
    const error = new DomainError('est.device_unknown', { detail: 'serialNumber 7' });
    expect(errorText(error)).toBe('est.device_unknown: The device is not in the registry. (serialNumber 7)\n');
  });
});
