/**
 * Asks the service beside it whether it is ready: exit 0 or 1. `healthcheck.mjs [--config FILE | URL]`; without arguments by the plain
 * HTTP port of /etc/outrider/config.json. An exec probe: the image has no shell and no curl.
 */
import { readFileSync } from 'node:fs';

const [first = '--config', second = '/etc/outrider/config.json'] = process.argv.slice(2);

try {
  const url = first === '--config' ? urlOf(JSON.parse(readFileSync(second, 'utf8'))) : first;
  const answer = await fetch(url, { signal: AbortSignal.timeout(2500) });
  if (!answer.ok) console.error(`${url}: ${answer.status} ${await answer.text()}`);
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  console.error(error.cause?.message ?? error.message);
  process.exitCode = 1;
}

function urlOf({ listeners: { http } }) {
  // One that listens everywhere is asked at home.
  const host = ['0.0.0.0', '::'].includes(http.host) ? '127.0.0.1' : http.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${http.port}/readyz`;
}
