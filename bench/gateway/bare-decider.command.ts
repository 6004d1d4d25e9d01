/** The floor of a decision: a mutual TLS server of `node:https` that answers 200 without looking. Reads `{key, cert, ca}` (PEM) from standard input, prints its port. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

const { key, cert, ca } = JSON.parse(await text(process.stdin)) as { key: string; cert: string; ca: string };
const server = createServer(
  { key, cert, ca, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3', maxHeaderSize: 65_536 },
  (_request, response) => {
    response.writeHead(200, { 'content-length': 0, 'cache-control': 'no-store' });
    response.end();
  },
);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
