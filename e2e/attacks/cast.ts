/** Who takes part: a vehicle that is attacked, one that attacks, and one that has nothing to do with it and must notice nothing. */

import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Form, inForm } from '../harness/formats.js';
import { canonical, nowSeconds, type Payload, payloadOf } from '../harness/message.js';
import { type Seen, Thief } from '../harness/thief.js';
import { Vehicle } from '../harness/vehicle.js';
import type { Trial } from './attack.js';
import { said } from './said.js';

const TOKEN_KEPT_MS = 20_000;

/** A vehicle with a connection of its own to every service. */
export class Party {
  readonly client: Thief;
  readonly #tokens = new Map<string, { token: Promise<string>; until: number }>();
  #seq = 0;

  constructor(readonly vehicle: Vehicle) {
    this.client = new Thief(vehicle.certificate, vehicle.key);
  }

  static async enrol(name: string, ...args: string[]): Promise<Party> {
    return new Party(await Vehicle.enrol(name, 'P-256', ...args));
  }

  get id(): string {
    return this.vehicle.id;
  }

  token(scope = 'telemetry:write'): Promise<string> {
    const known = this.#tokens.get(scope);
    if (known && known.until > performance.now()) return known.token;
    const token = this.client.token(this.id, scope);
    this.#tokens.set(scope, { token, until: performance.now() + TOKEN_KEPT_MS });
    return token;
  }

  /** Signed by this vehicle, by default in its own name and under its next number. */
  message(changes: Partial<Payload> = {}): { payload: Payload; signature: string } {
    const payload = { ...payloadOf(this.id, changes.seq ?? this.nextSeq(), nowSeconds()), ...changes };
    return { payload, signature: this.sign(canonical(payload)) };
  }

  nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  /** Hex, over the text as it stands. */
  sign(text: string): string {
    return this.signBytes(Buffer.from(text)).toString('hex');
  }

  /** r || s. */
  readonly signBytes = (bytes: Uint8Array): Buffer => {
    const key = createPrivateKey(readFileSync(this.vehicle.key));
    return sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
  };

  /** A string or bytes go as they are. */
  async send(body: unknown, token?: string, contentType = 'application/json'): Promise<Seen> {
    const raw = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const ask = { service: 'telemetry', method: 'POST', path: '/v1/telemetry', contentType } as const;
    return this.client.ask({ ...ask, token: token ?? (await this.token()), body: raw });
  }

  /** A record in another format, signed by this vehicle unless by `signer`. */
  sendIn(form: Form, record: object, signer: Party = this): Promise<Seen> {
    const { body, contentType } = inForm(form, record, signer.signBytes);
    return this.send(body, undefined, contentType);
  }

  async windows(): Promise<unknown> {
    const path = '/v1/telemetry/window';
    const { body } = await this.client.ask({ service: 'telemetry', method: 'GET', path, token: await this.token() });
    return (JSON.parse(body) as { windows: unknown }).windows;
  }

  /** A request about its log, with the token for that. */
  async ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<Seen> {
    const token = await this.token('telemetry:backfill');
    const raw = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.client.ask({ service: 'telemetry', method, path, token, ...raw });
  }

  /** The files that the next connection needs. */
  files(): { cert: Buffer; key: Buffer } {
    return { cert: readFileSync(this.vehicle.certificate), key: readFileSync(this.vehicle.key) };
  }
}

const cast = new Map<string, Promise<Party>>();

function member(name: string): Promise<Party> {
  const known = cast.get(name) ?? Party.enrol(name);
  cast.set(name, known);
  return known;
}

export const victim = () => member('victim');
export const attacker = () => member('attacker');
export const bystander = () => member('bystander');

/** The attack has cost another vehicle nothing: its next message is accepted. */
export async function unharmed(trial: Trial): Promise<void> {
  const other = await bystander();
  const seen = said(await other.send(other.message()));
  trial.must('a vehicle that has nothing to do with it', seen === '200 accepted', seen);
}
