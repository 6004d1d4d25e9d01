/**
 * An API of a platform team, as small as can be: it trusts its edge, and answers with what it was told of its caller.
 *   node demo-api.mjs --port 8462 [--host 127.0.0.1]
 */
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { port: { type: 'string' }, host: { type: 'string', default: '127.0.0.1' } },
});
if (!values.port) {
  console.error('usage: demo-api.mjs --port PORT [--host HOST]');
  process.exit(2);
}

const server = createServer(async (request, response) => {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  const { method, url, rawHeaders } = request;
  const names = rawHeaders.filter((_, index) => index % 2 === 0);
  const body = JSON.stringify({ method, url, bytes, headers: request.headers, names });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(method === 'HEAD' ? undefined : body);
});
server.listen(Number(values.port), values.host, () => console.log(`the demo API listens on port ${values.port}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.close(() => process.exit(0)));
