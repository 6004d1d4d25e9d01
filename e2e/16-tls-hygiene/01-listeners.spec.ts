import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { at, endpoints, SERVICES } from '../harness/endpoints.js';
import { itWith } from '../harness/installed.js';
import { plain } from '../harness/operator.js';
import { must } from '../harness/run.js';
import { sleep, until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';
import { head, Wire } from '../harness/wire.js';

const TLS_13 = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'];
const TLS_12 = /^ECDHE-(?:ECDSA|RSA)-(?:AES(?:128|256)-GCM-SHA(?:256|384)|CHACHA20-POLY1305)$/;
const GROUPS = /^(?:x25519|secp256r1|secp384r1)/;
const FLOOD = 100;
const FLOOD_MS = 3_000;

const listeners: [string, string][] = [
  ...SERVICES.flatMap((service) => {
    const { vehicle, operator } = endpoints.services[service] ?? {};
    const faces: [string, string | undefined][] = [
      [`${service}, vehicles`, vehicle],
      [`${service}, operators`, operator],
    ];
    return faces.flatMap(([name, url]): [string, string][] => (url ? [[name, url]] : []));
  }),
  ['gateway, edges', endpoints.edge.authorization],
];

interface Scan {
  readonly protocols: string[];
  readonly ciphers: { readonly version: string; readonly name: string }[];
  readonly groups: string[];
  readonly renegotiation: boolean;
  readonly heartbleed: boolean;
  readonly compression: boolean;
}

/** What the elements of one name say, in sslscan's XML: an element a line, without nesting. */
function elements(xml: string, name: string): Record<string, string>[] {
  return [...xml.matchAll(new RegExp(`<${name} ([^>]*?)/?>`, 'g'))].map(([, attributes = '']) =>
    Object.fromEntries([...attributes.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value])),
  );
}

async function scan(url: string): Promise<Scan> {
  const { host } = new URL(url);
  const { stdout: xml } = await must('sslscan', ['--no-colour', '--xml=-', host]);
  return {
    protocols: elements(xml, 'protocol')
      .filter(({ enabled }) => enabled === '1')
      .map(({ type, version }) => `${type} ${version}`),
    ciphers: elements(xml, 'cipher').map(({ sslversion = '', cipher = '' }) => ({ version: sslversion, name: cipher })),
    groups: elements(xml, 'group').map(({ name = '' }) => name),
    renegotiation: elements(xml, 'renegotiation').some(({ supported }) => supported !== '0'),
    heartbleed: elements(xml, 'heartbleed').some(({ vulnerable }) => vulnerable !== '0'),
    compression: elements(xml, 'compression').some(({ supported }) => supported !== '0'),
  };
}

describe('every TLS listener', () => {
  it('is there to be scanned', () => {
    expect(listeners.length).toBeGreaterThanOrEqual(11);
  });

  itWith(['sslscan'])(
    'speaks TLS 1.3 and 1.2 with ECDHE and AEAD, and nothing else, to sslscan',
    async () => {
      for (const [name, url] of listeners) {
        const seen = await scan(url);
        const { protocols, ciphers, groups, ...flaws } = seen;
        expect({ name, protocols, ...flaws }).toEqual({
          name,
          protocols: ['tls 1.2', 'tls 1.3'],
          renegotiation: false,
          heartbleed: false,
          compression: false,
        });
        const ill = ciphers.filter(({ version, name: cipher }) =>
          version === 'TLSv1.3' ? !TLS_13.includes(cipher) : !TLS_12.test(cipher),
        );
        expect({ name, ill, weak: groups.filter((group) => !GROUPS.test(group)) }).toEqual({ name, ill: [], weak: [] });
        for (const version of ['TLSv1.2', 'TLSv1.3'])
          expect({ name, version, some: ciphers.some((one) => one.version === version) }).toMatchObject({ some: true });
      }
    },
    240_000,
  );
});

describe('a flood of handshakes from one address', () => {
  it("leaves another address' vehicle its connection", async () => {
    const car = await Vehicle.enrol('flooded');
    const authorization = `Bearer ${await car.token()}`;
    const identity = { cert: readFileSync(car.certificate), key: readFileSync(car.key) };
    const { hostname, port } = new URL(at('telemetry', 'vehicle'));
    const end = performance.now() + FLOOD_MS;
    let begun = 0;
    const open = new Set<TLSSocket>();
    const again = () => {
      if (performance.now() > end) return;
      begun += 1;
      const options = { host: hostname, port: Number(port), rejectUnauthorized: false, localAddress: '127.0.0.2' };
      const socket = connect(options, () => socket.destroy());
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        open.delete(socket);
        setImmediate(again);
      });
    };
    for (let n = 0; n < FLOOD; n++) again();
    let served = 0;
    while (performance.now() < end) {
      const wire = await Wire.open('telemetry', identity);
      expect((await wire.ask(head('GET', '/v1/telemetry/window', { authorization }), 15_000)).status).toBe(200);
      wire.close();
      served += 1;
      await sleep(50);
    }
    for (const socket of open) socket.destroy();
    expect({ served: served > 0, flooded: begun > FLOOD }).toEqual({ served: true, flooded: true });
    await until('nobody waits any more', async () => {
      const { bytes } = await plain('telemetry', '/metrics');
      return /^outrider_handshakes_waiting\{listener="vehicle"\} 0$/m.test(bytes.toString());
    });
  });
});
