import { expect, it } from '@jest/globals';
import { multipartMixed } from './multipart.js';

it('writes parts that a MIME reader takes apart again', async () => {
  const parts = [
    { contentType: 'application/pkcs8', base64: 'AAAA\nBBBB\n' },
    { contentType: 'application/pkcs7-mime; smime-type=certs-only', base64: 'CCCC\n' },
  ];
  const { contentType, body } = multipartMixed(parts, 'b0undary');
  expect(contentType).toBe('multipart/mixed; boundary=b0undary');
  expect(body).toBe(
    [
      '--b0undary',
      'Content-Type: application/pkcs8',
      'Content-Transfer-Encoding: base64',
      '',
      'AAAA',
      'BBBB',
      '--b0undary',
      'Content-Type: application/pkcs7-mime; smime-type=certs-only',
      'Content-Transfer-Encoding: base64',
      '',
      'CCCC',
      '--b0undary--',
      '',
    ].join('\r\n'),
  );
});
