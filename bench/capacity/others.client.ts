import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { createOcspRequest, encodeOcspCertId, parseCertificate, parseCertificates } from '@outrider/x509';
import { Agent, request } from 'undici';
import { inParallel, postAfresh } from '../enrol/load.client.js';
import type { EnrolledVehicle, Suite } from '../suite/suite.client.js';
import { Sender } from '../telemetry/sender.client.js';
import { CountingWire } from './counting-wire.client.js';
import type { Figure, Figures } from './figures.js';
import { type Meter, residentBytes, type Spent } from './spent.client.js';

const WIDTH = 32;
const EST = '/.well-known/est';

function microsOf(spent: Spent, name: string, count: number, what: string, by: string): Figure {
  return {
    value: Math.round(((spent.get(name) ?? 0) / count) * 1e6),
    unit: `us of CPU ${what}`,
    by: `capacity: ${count} ${by}`,
  };
}

export async function tokenFigures(
  suite: Suite,
  meter: Meter,
  vehicles: readonly EnrolledVehicle[],
): Promise<Figures['token']> {
  const times = 40;
  const spent = await meter.of(async () => {
    await Promise.all(
      vehicles.map(async (vehicle) => {
        const over = new Agent({ connect: vehicle.tls, connections: 1 });
        for (let time = 0; time < times; time++) await suite.token(vehicle, 'telemetry:write', over);
        await over.destroy();
      }),
    );
  });
  const of = (name: string) => microsOf(spent, name, vehicles.length * times, 'a token', 'tokens on kept connections');
  return { serviceMicros: of('token'), postgresMicros: of('postgres') };
}

/** An enrolment does what a renewal does: proof, decision, signature, log; by a handshake of its own. */
export async function renewalFigures(suite: Suite, meter: Meter, run: string): Promise<Figures['renewal']> {
  const [warm, vehicles] = [
    await suite.factoryVehicles(`cap-${run}-w`, WIDTH),
    await suite.factoryVehicles(`cap-${run}`, 250),
  ];
  const target = { url: suite.url('provisioning', `${EST}/simpleenroll`), ca: suite.serverCa };
  await inParallel(warm, WIDTH, (vehicle) => postAfresh(target, vehicle));
  const spent = await meter.of(async () => {
    await inParallel(vehicles, WIDTH, (vehicle) => postAfresh(target, vehicle));
  });
  const of = (name: string) =>
    microsOf(spent, name, vehicles.length, 'a certificate', 'enrolments, a full handshake each');
  return { serviceMicros: of('provisioning'), fleetCaMicros: of('fleet-ca'), postgresMicros: of('postgres') };
}

/** Asking whether to renew, on a kept connection. */
export async function pollFigure(suite: Suite, meter: Meter, { tls }: EnrolledVehicle): Promise<Figure> {
  const { authorityKeyId = '', serialNumber } = parseCertificate(tls.cert);
  const positive = Number.parseInt(serialNumber.slice(0, 2), 16) >= 0x80 ? `00${serialNumber}` : serialNumber;
  const id = [authorityKeyId, positive].map((hex) => Buffer.from(hex, 'hex').toString('base64url')).join('.');
  const times = 600;
  const spent = await meter.of(() => get(suite.url('provisioning', `${EST}/renewal-info/${id}`), times, tls));
  return microsOf(spent, 'provisioning', times, 'a question', 'questions for renewal information on kept connections');
}

export async function ocspFigure(suite: Suite, meter: Meter, home: string, { tls }: EnrolledVehicle): Promise<Figure> {
  const certificate = parseCertificate(tls.cert);
  const issuers = parseCertificates(readFileSync(join(home, 'fleet/trust/vehicle-cas.crt'), 'utf8'));
  const issuer = issuers.find(({ subjectKeyId }) => subjectKeyId === certificate.authorityKeyId);
  if (!issuer) throw new Error('the issuer is not among those that are trusted');
  const question = Buffer.from(createOcspRequest([encodeOcspCertId(issuer, certificate.serialNumber)])).toString(
    'base64',
  );
  const url = suite.httpUrl('revocation', `/ocsp/${encodeURIComponent(question)}`);
  await get(url, 20);
  const times = 2000;
  const spent = await meter.of(() => get(url, times));
  return microsOf(spent, 'revocation', times, 'an answer', 'OCSP answers from memory, by GET on kept connections');
}

async function get(url: string, times: number, tls?: object): Promise<void> {
  const over = new Agent({ connections: 4, ...(tls ? { connect: tls } : {}) });
  await inParallel(Array.from({ length: times }), 4, async () => {
    const { statusCode, body } = await request(url, { dispatcher: over });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${url}: ${statusCode} ${text.slice(0, 200)}`);
  });
  await over.destroy();
}

/** A full handshake, and what a connection holds that has carried nothing for a while. */
export async function connectionFigures(suite: Suite, meter: Meter, { tls }: EnrolledVehicle) {
  const count = 1000;
  const { hostname: host, port } = new URL(suite.url('telemetry', '/'));
  const pid = suite.pid('telemetry');
  const sockets: TLSSocket[] = [];
  const open = () =>
    new Promise<void>((done, failed) => {
      const socket = connect({ host, port: Number(port), ...tls }, () => done());
      socket.once('error', failed);
      sockets.push(socket);
    });
  const before = residentBytes(pid);
  const spent = await meter.of(async () => {
    await inParallel(Array.from({ length: count }), WIDTH, open);
  });
  await sleep(2000);
  const grown = residentBytes(pid) - before;
  for (const socket of sockets) socket.destroy();
  const by = `capacity: ${count} idle mTLS connections of telemetry, resident memory`;
  return {
    handshakeMicros: microsOf(spent, 'telemetry', count, 'a handshake', 'full TLS 1.3 handshakes, P-256 on both sides'),
    connections: { value: count, unit: 'connections open at once', by },
    connectionBytes: { value: Math.round(grown / count), unit: 'bytes a connection', by },
  };
}

/** TLS records in both directions. TCP and IP add some 40 bytes a packet. */
export async function wireFigures(suite: Suite, vehicle: EnrolledVehicle, batch: number): Promise<Figures['wire']> {
  const [telemetry, tokens] = [
    await CountingWire.to(suite.url('telemetry', '/')),
    await CountingWire.to(suite.url('token', '/')),
  ];
  const by = 'capacity: bytes through a counting proxy';
  const of = (value: number, unit: string): Figure => ({ value: Math.round(value), unit, by });
  const token = await suite.token(vehicle, 'telemetry:write');
  const path = '/v1/telemetry';
  let sender: Sender | undefined;
  const handshake = await telemetry.during(async () => {
    sender = await Sender.open(`${telemetry.origin}${path}`, vehicle, token);
    // Tickets follow the handshake.
    await sleep(300);
  });
  const post = (count: number) =>
    telemetry.during(async () => sender?.send(sender.request(count > 1 ? 'signed-batch' : 'single', count), count));
  const [one, many] = [await post(1), await post(batch)];
  const over = new Agent({ connect: vehicle.tls, connections: 1 });
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: vehicle.deviceId,
    scope: 'telemetry:write',
  });
  const ask = async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { body } = await request(`${tokens.origin}/oauth2/token`, {
      method: 'POST',
      dispatcher: over,
      headers,
      body: form.toString(),
    });
    await body.text();
  };
  await ask();
  await sleep(300);
  const asked = await tokens.during(ask);
  sender?.close();
  await over.destroy();
  telemetry.close();
  tokens.close();
  return {
    postBytes: of(one.in, 'bytes a POST of one record'),
    recordBytes: of((many.in - one.in) / (batch - 1), 'bytes a further record of a batch'),
    tokenRequestBytes: of(asked.in, 'bytes a token request'),
    answerBytes: of((one.out + asked.out) / 2, 'bytes an answer'),
    handshakeInBytes: of(handshake.in, 'bytes a handshake takes in'),
    handshakeOutBytes: of(handshake.out, 'bytes a handshake sends, tickets with it'),
  };
}
