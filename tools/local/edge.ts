/** What a suite has ready for edge proxies before it (deploy/edge): their identity, whom gateway answers, and the demo API's rules. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { secret, writeWhole } from './files.ts';
import { EDGE, fleetFiles, TRUST_DOMAIN } from './fleet.ts';
import { portsOf } from './ports.ts';
import { PROJECT, places, type Settings } from './settings.ts';

const HOST = '127.0.0.1';
const RULES = join(PROJECT, 'deploy', 'edge', 'apis', 'demo-api.json');

/** By which the services know the suite's edge. */
export function edgeId(): string {
  return `spiffe://${TRUST_DOMAIN}/service/${EDGE.name}`;
}

/** Where vehicles reach `host` through the edges, without a trailing slash. */
export function urlsAtEdges(settings: Settings, host: string): string[] {
  const { nginx, haproxy } = portsOf(settings).edges;
  return [nginx, haproxy].map((port) => `https://${host}:${port}`);
}

/** What tokens for the demo API are for: its audience, and every scope that its rules name. */
export function demoApi(): { readonly audience: string; readonly scopes: readonly string[] } {
  const { audience, rules } = demoRules();
  return { audience, scopes: [...new Set(rules.flatMap(({ scopes = [] }) => scopes))] };
}

/** gateway's `authorization`; writes the demo API's rules, with this suite's addresses. */
export function authorization(settings: Settings): object {
  const { config, secrets } = places(settings);
  const apisFolder = join(config, 'apis');
  mkdirSync(apisFolder, { recursive: true, mode: 0o700 });
  const rules = { ...demoRules(), publicUrls: urlsAtEdges(settings, EDGE.api) };
  writeWhole(join(apisFolder, 'demo-api.json'), `${JSON.stringify(rules, null, 2)}\n`);
  const { certificate: certificateFile, key: keyFile } = fleetFiles(settings).service('gateway');
  const dpopNonceKeyFile = join(secrets, 'dpop-nonce');
  secret(dpopNonceKeyFile);
  return {
    listener: { host: HOST, port: portsOf(settings).externalAuthorization, certificateFile, keyFile },
    edges: [edgeId()],
    apisFolder,
    dpopNonceKeyFile,
    // Everybody is 127.0.0.1 here.
    limits: {
      device: { perSecond: 100, burst: 500 },
      manufacturer: { perSecond: 5_000, burst: 10_000 },
      network: { perSecond: 5_000, burst: 10_000 },
    },
  };
}

/** For `endpoints.json`: all that an edge needs besides the services' addresses. */
export function edgeEndpoints(settings: Settings, path: (file: string) => string) {
  const { trust, service } = fleetFiles(settings);
  const { certificate, key } = service(EDGE.name);
  const { edges, externalAuthorization } = portsOf(settings);
  return {
    authorization: `https://${HOST}:${externalAuthorization}`,
    certificate: path(certificate),
    key: path(key),
    vehicleCas: path(trust.edgeClients),
    ports: edges,
    hosts: { api: EDGE.api, vehicles: EDGE.vehicles },
    api: demoApi(),
  };
}

interface Rules {
  readonly audience: string;
  readonly rules: readonly { readonly scopes?: readonly string[] }[];
}

function demoRules(): Rules {
  return JSON.parse(readFileSync(RULES, 'utf8')) as Rules;
}
