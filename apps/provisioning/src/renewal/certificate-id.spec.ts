import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { readCertificateId } from './certificate-id.js';

describe('a certificate identifier', () => {
  it('is read as RFC 9773 writes its example', () => {
    expect(readCertificateId('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE')).toEqual({
      issuerKeyId: '69885b6b87464041e1b37b847ba0ae2cde01c8d4',
      serialNumber: '87654321',
    });
  });

  it('is read without the sign byte, too', () => {
    expect(readCertificateId('aYhb.h2VDIQ').serialNumber).toBe('87654321');
  });

  it('names any key and serial number', () => {
    const keyId = fc.uint8Array({ minLength: 20, maxLength: 20 });
    const serial = fc.uint8Array({ minLength: 1, maxLength: 20 }).filter((bytes) => (bytes[0] as number) > 0);
    fc.assert(
      fc.property(keyId, serial, (key, number) => {
        const der = (number[0] as number) >= 0x80 ? [0, ...number] : [...number];
        const id = `${Buffer.from(key).toString('base64url')}.${Buffer.from(der).toString('base64url')}`;
        expect(readCertificateId(id)).toEqual({
          issuerKeyId: Buffer.from(key).toString('hex'),
          serialNumber: Buffer.from(number).toString('hex'),
        });
      }),
    );
  });

  test.each([
    '',
    '.',
    'aYhb',
    'aYhb.',
    '.AIdl',
    'aYhb.AIdl.AIdl',
    'aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE',
    'aYhb.AIdlQyE=',
    'aY/b.AIdl',
    'aYhb.AIdlQyF',
    `aYhb.${'A'.repeat(31)}`,
    `${'A'.repeat(400)}.AIdl`,
    "aYhb.' OR 1=1",
  ])('%p is none', (text) => {
    expect(() => readCertificateId(text)).toThrow(expect.objectContaining({ code: 'est.certificate_id_malformed' }));
  });
});
