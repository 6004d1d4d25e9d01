/** What the edges in deploy/edge let by to an API of a client's own fields. Two of them run in e2e/15-edge; the others are read here alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';

const EDGES = join(import.meta.dirname, '../../../../deploy/edge');
const read = (path: string) => readFileSync(join(EDGES, path), 'utf8');
/** What stands between the two, which both have to be there. */
function between(text: string, from: string, to: string): string {
  const start = text.indexOf(from);
  const end = text.indexOf(to, start);
  if (start < 0 || end < 0) throw new Error(`nothing from ${from} to ${to}`);
  return text.slice(start, end);
}
const names = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name!.toLowerCase());

const CLIENTS_OWN = [
  ...['authorization', 'dpop', 'client-cert', 'client-cert-chain', 'x-forwarded-client-cert', 'forwarded'],
  ...['x-http-method', 'x-http-method-override', 'x-method-override', 'x-rewrite-url'],
  ...['x-original-host', 'x-original-method', 'x-original-uri', 'x-original-url'],
  ...['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix', 'x-real-ip'],
];
/** What Traefik itself writes in their place, for any API. */
const TRAEFIKS_OWN = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-real-ip'];

const envoy = between(read('envoy/envoy.yaml'), '- name: api\n', 'routes:');
const nginx = between(read('nginx/nginx.conf.template'), '    location / {', '    location @refused');
const haproxy = read('haproxy/haproxy.cfg');
const toHaproxysApi =
  between(haproxy, 'frontend edge', 'backend nobody') + between(haproxy, 'backend api\n', 'server api');
const traefik = read('traefik/dynamic.yaml');

test.each([
  ['envoy', [...names(envoy, /^ +- ([\w-]+)$/gm), ...names(envoy, /key: ([\w-]+),.*\n +append_action: OVERWRITE_/g)]],
  ['nginx', names(nginx, /proxy_set_header ([\w-]+) /g)],
  ['traefik', [...names(traefik, /^ +([\w-]+): ""$/gm), ...TRAEFIKS_OWN]],
])('%s takes away each, or writes its own', (_edge, dropped) => {
  expect(CLIENTS_OWN.filter((name) => !dropped.includes(name))).toEqual([]);
});

test('so does haproxy', () => {
  const dropped = names(toHaproxysApi, /del-header ([\w-]+)$/gm);
  const prefixes = names(toHaproxysApi, /del-header ([\w-]+) -m beg$/gm);
  const passes = (name: string) => !dropped.includes(name) && !prefixes.some((prefix) => name.startsWith(prefix));
  expect(CLIENTS_OWN.filter(passes)).toEqual([]);
  expect(passes('x-trip')).toBe(true);
});

describe('names with underscores, which an API may take for those with hyphens', () => {
  it('envoy refuses', () =>
    expect(read('envoy/envoy.yaml')).toContain('headers_with_underscores_action: REJECT_REQUEST'));
  it('nginx drops, unless it is told to keep them', () =>
    expect(read('nginx/nginx.conf.template')).not.toContain('underscores_in_headers'));
  it('haproxy deletes', () => expect(toHaproxysApi).toContain('option http-restrict-req-hdr-names delete'));
  it('traefik strips, and takes none from gateway', () => {
    const [, pattern = ''] = /^ {8}authResponseHeadersRegex: "(.+)"$/m.exec(traefik) ?? [];
    const stripped = (name: string) => new RegExp(pattern || '$.').test(name);
    expect(['X_outrider_device', 'X-Outrider_device', 'X_outrider-Token-Id'].filter(stripped)).toHaveLength(3);
    expect(['X-Outrider-Device', 'X-Outrider-Status', 'Set-Cookie'].filter(stripped)).toEqual([]);
  });
});
