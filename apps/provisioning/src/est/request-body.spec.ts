import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createCertificationRequest, toPem } from '@outrider/x509';
import { MAX_REQUEST_BYTES, requestDer } from './request-body.js';

const der = createCertificationRequest({ subject: 'device-12345', ...generateKeyPairSync('ed25519') });
const base64 = Buffer.from(der).toString('base64');
const pem = toPem(der, 'CERTIFICATE REQUEST');

describe('the body of an enrolment', () => {
  test.each<[string, string | Uint8Array]>([
    ['one line', base64],
    ['one line and a line feed', `${base64}\n`],
    ['lines of 64 with CRLF', base64.replace(/.{64}/g, '$&\r\n')],
    ['lines of 76 with blanks', ` ${base64.replace(/.{76}/g, '$& \n\t')}`],
    ['vertical tabs and form feeds', `\v${base64.replace(/.{10}/g, '$&\f')}`],
    ['PEM', pem],
    ['PEM by its old label', toPem(der, 'NEW CERTIFICATE REQUEST')],
    ['PEM as one line', pem.replaceAll('\n', '')],
    ['PEM that openssl explains', `Certificate Request:\n    Signature Algorithm: ecdsa-with-SHA256\n${pem}`],
    ['DER', der],
  ])('is read as %s', (_form, body) => {
    expect(requestDer(Buffer.from(body))).toEqual(new Uint8Array(der));
  });

  test.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['white space', ' \r\n'],
    ['text', 'hello world'],
    ['base64url', base64.replace(/.$/, '-')],
    ['base64 and something more', `${base64}!`],
    ['base64 after its end', `${Buffer.from('x').toString('base64')}${base64}`],
    ['base64 without its padding', Buffer.alloc(10, 7).toString('base64').replace(/=+$/, '')],
    ['base64 with bits left over', 'MB=='],
    ['bytes', Uint8Array.of(1, 2, 3, 255)],
    ['PEM and something more', `${pem}hello`],
    ['two PEM blocks', `${pem}${pem}`],
    ['PEM of a certificate', toPem(der, 'CERTIFICATE')],
    ['PEM without its end', pem.slice(0, -30)],
  ])('is refused as %s', (_form, body) => {
    expect(() => requestDer(Buffer.from(body))).toThrow(expect.objectContaining({ code: 'est.csr_malformed' }));
  });

  const long = Buffer.alloc(MAX_REQUEST_BYTES + 1, 0x30);
  test.each<[string, string | Uint8Array]>([
    ['base64', long.toString('base64')],
    ['DER', Buffer.concat([Buffer.from([0x30, 0x82, 0x40, 0x00]), long])],
    ['whatever', Buffer.alloc(1_000_000, 'A')],
  ])('is refused above 16 KiB, as %s', (_form, body) => {
    expect(() => requestDer(Buffer.from(body))).toThrow(expect.objectContaining({ code: 'request.too_large' }));
  });
});
