/**
 * What enrolment is measured against: an mTLS server of `node:https` and nothing else. Reads `{key, cert, ca}` (PEM) as JSON from
 * standard input, prints its port, and answers every request with a few bytes.
 */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

const { key, cert, ca } = JSON.parse(await text(process.stdin)) as { key: string; cert: string; ca: string };
const server = createServer(
  { key, cert, ca, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
  (request, response) => {
    request.resume();
    request.once('end', () => response.end('ok\n'));
  },
);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
