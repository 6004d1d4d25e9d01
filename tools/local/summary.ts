/** The closing words of a start: where everything is, and what to try. */
import { portsOf } from './ports.ts';
import { natsUrl } from './servers.ts';
import { SERVICES } from './services.ts';
import { places, type Settings, shown } from './settings.ts';
import { table } from './terminal.ts';

export function summary(settings: Settings): string {
  const ports = portsOf(settings);
  const url = (scheme: string, port: number | undefined) => (port ? `${scheme}://127.0.0.1:${port}` : '');
  const { endpoints, operatorToken, approverToken, logs } = places(settings);
  return [
    table([
      ['service', 'vehicles (mTLS)', 'operators (HTTPS)', 'health, metrics (HTTP)'],
      ...SERVICES.map(({ name }) => {
        const faces = ports.services[name];
        return [name, url('https', faces?.vehicle), url('https', faces?.operator), url('http', faces?.http)];
      }),
    ]),
    '',
    table([
      ['PostgreSQL', settings.postgresUrl ? 'OUTRIDER_PG_URL' : `127.0.0.1:${ports.postgres}`],
      ['NATS', natsUrl(settings)],
      ['every address', shown(settings, endpoints)],
      ['operator token', shown(settings, operatorToken)],
      ['second operator', shown(settings, approverToken)],
      ['logs', shown(settings, logs)],
    ]),
    '',
    'Try next:',
    table([
      ['npm run -s outrider -- device list', 'the vehicles there are'],
      ['npm run -s outrider -- telemetry tail', 'what they send'],
      ['npm run demo', 'the whole story, with times'],
      ['npm run status', 'how every process is'],
    ]),
    '',
  ].join('\n');
}
