import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCertificationRequest, parseCertificate, parseCertsOnlyCms } from '@outrider/x509';
import { labelPolicy } from '../label/label.fixture.js';
import { EstWire, type WireAnswer } from './est-wire.fixture.js';
import { type Registry, registryOf } from './registry.fixture.js';
import { newKeys, type Suite, startSuite } from './suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite({ bound: labelPolicy({ channelBinding: 'required' }) });
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

const csr = (name: string, challengePassword?: string) =>
  Buffer.from(
    createCertificationRequest({
      subject: name,
      ...newKeys(),
      ...(challengePassword === undefined ? {} : { challengePassword }),
    }),
  ).toString('base64');

const codeOf = ({ body }: WireAnswer) => body.split(':', 1)[0];

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('on %s', (version) => {
  const options = { minVersion: version, maxVersion: version } as const;
  const id = (what: string) => `device-${what}-${version === 'TLSv1.2' ? 'old' : 'new'}`;

  it('a request that is bound to its connection is signed, where that is required', async () => {
    const factory = await registry.registered(id('bound'));
    const wire = await EstWire.open(suite, factory, options);
    expect(wire.socket.getProtocol()).toBe(version);
    const answer = await wire.post('bound/simpleenroll', csr(id('bound'), wire.binding));
    wire.close();
    expect(answer.status).toBe(200);
    const [der] = parseCertsOnlyCms(answer.body);
    expect(parseCertificate(der!).subjectCommonName).toBe(id('bound'));
  });

  it('one that is not bound is refused there, and taken where it is optional', async () => {
    const factory = await registry.registered(id('plain'));
    const wire = await EstWire.open(suite, factory, options);
    const refused = await wire.post('bound/simpleenroll', csr(id('plain')));
    expect([refused.status, codeOf(refused)]).toEqual([400, 'est.channel_binding_required']);
    expect((await wire.post('simpleenroll', csr(id('plain')))).status).toBe(200);
    wire.close();
  });

  it('one bound to another connection is refused everywhere', async () => {
    const factory = await registry.registered(id('stolen'));
    const other = await EstWire.open(suite, factory, options);
    const wire = await EstWire.open(suite, factory, options);
    expect(other.binding).not.toBe(wire.binding);
    const request = csr(id('stolen'), other.binding);
    for (const path of ['bound/simpleenroll', 'simpleenroll']) {
      const refused = await wire.post(path, request);
      expect([refused.status, codeOf(refused)]).toEqual([400, 'est.channel_binding_wrong']);
    }
    expect((await other.post('simpleenroll', request)).status).toBe(200);
    other.close();
    wire.close();
  });

  it('a resumed connection has a binding of its own', async () => {
    const factory = await registry.registered(id('resumed'));
    const first = await EstWire.open(suite, factory, options);
    // TLS 1.3 sends its ticket after the handshake, with or before the first answer.
    const ticket = version === 'TLSv1.3' ? once(first.socket, 'session') : Promise.resolve([first.socket.getSession()]);
    await first.ask('GET /.well-known/est/csrattrs HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const [session] = (await ticket) as [Buffer];
    const again = await EstWire.open(suite, factory, { ...options, session });
    expect(again.socket.isSessionReused()).toBe(true);
    expect(again.binding).not.toBe(first.binding);
    const stale = await again.post('bound/simpleenroll', csr(id('resumed'), first.binding));
    expect([stale.status, codeOf(stale)]).toEqual([400, 'est.channel_binding_wrong']);
    const answer = await again.post('bound/simpleenroll', csr(id('resumed'), again.binding));
    expect(answer.status).toBe(200);
    first.close();
    again.close();
  });
});

it('a TLS 1.2 connection shakes hands once: it has one binding, and one certificate', async () => {
  const factory = await registry.registered('device-renegotiates');
  const wire = await EstWire.open(suite, factory, { maxVersion: 'TLSv1.2' });
  const { binding } = wire;
  const failed = new Promise<Error | null>((resolve) => {
    wire.socket.once('error', resolve);
    wire.socket.renegotiate({}, resolve);
  });
  expect(await failed).toMatchObject({ code: expect.stringMatching(/NO_RENEGOTIATION|ECONNRESET/) });
  expect(wire.binding).toBe(binding);
  wire.close();
});

describe('what csrattrs says of it', () => {
  it('asks for the challenge password under the label, and for nothing without', async () => {
    const wire = await EstWire.open(suite);
    const ask = (path: string) => wire.ask(`GET /.well-known/est/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    const bound = await ask('bound/csrattrs');
    expect([bound.status, bound.headers['content-type']]).toEqual([200, 'application/csrattrs']);
    expect(Buffer.from(bound.body, 'base64').toString('hex')).toBe('300b06092a864886f70d010907');
    expect((await ask('csrattrs')).status).toBe(204);
    wire.close();
  });
});
