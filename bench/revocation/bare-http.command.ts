/**
 * What OCSP is measured against: a server of `node:http` and nothing else. Reads `{body, headers}` as JSON from standard input (body in
 * base64), prints its port, reads every request to its end and answers it with them.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

const given = JSON.parse(await text(process.stdin)) as { body: string; headers: Record<string, string> };
const body = Buffer.from(given.body, 'base64');
const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => response.writeHead(200, given.headers).end(body));
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
