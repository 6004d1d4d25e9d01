/** What the services around fleet-ca send it: signed requests, over NATS, under their own users. */
import { generateKeyPairSync } from 'node:crypto';
import { JWS_TYP, signJws } from '@outrider/crypto';
import type { Service } from '@outrider/ids';
import type { Party, TestNats } from '@outrider/testing';
import { createCertificationRequest } from '@outrider/x509';

export interface Reply<R> {
  readonly ok?: R;
  readonly error?: { readonly code: string };
}

/** A request of now, by the key of a service. */
export function signRequest({ certificate, privateKey }: Party, payload: object): string {
  const x5c = [Buffer.from(certificate.der).toString('base64')];
  const body = JSON.stringify({ iat: Math.floor(Date.now() / 1000), ...payload });
  return signJws({ header: { typ: JWS_TYP.request, x5c }, payload: body, key: privateKey });
}

/** Over a connection of its own. */
export async function askAs<R>(nats: TestNats, service: Service, subject: string, payload: object): Promise<Reply<R>> {
  const connection = await nats.connectAs(service);
  try {
    return (await connection.request(subject, JSON.stringify(payload), { timeout: 20_000 })).json<Reply<R>>();
  } finally {
    await connection.close();
  }
}

/** Base64 of a request of a key that nobody keeps. */
export function newCsr(subject: string): string {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return Buffer.from(createCertificationRequest({ subject, ...keys })).toString('base64');
}
