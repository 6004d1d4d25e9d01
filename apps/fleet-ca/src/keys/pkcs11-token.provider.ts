import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { keyThumbprint, p1363ToDer } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { keyAlgorithmOf } from '@outrider/x509';
import { CA_DIGEST, type CaKey } from './ca-key.js';
import { CK, CKR, type Cryptoki, codeOf, loadCryptoki, type Template } from './cryptoki.provider.js';
import { CURVE_PARAMETERS, type Curve, spkiOfPoint } from './ec-point.js';

export interface TokenPlace {
  /** The PKCS#11 library, e.g. `/usr/lib/softhsm/libsofthsm2.so`. */
  readonly module: string;
  readonly tokenLabel: string;
  readonly pinFile: string;
}

const SIGNATURE_BYTES = { 'P-256': 64, 'P-384': 96 } as const;
/** A token that is slower than this many signatures are asked for says so, instead of letting all wait for ever. */
const MAX_WAITING = 256;

/**
 * A token and one session with it. The session is opened when it is first needed and again whenever it is lost; signing is done off
 * the event loop, one after the other. A PIN that the token refused is not tried again until the file says another: tokens lock.
 */
export class Pkcs11Token {
  private cryptoki: Cryptoki | undefined;
  private session: Buffer | undefined;
  private handles = new Map<string, Buffer>();
  private refusedPin: string | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(private readonly place: TokenPlace) {}

  /** A key that was made in this token. It is looked for when it is used: a token that is away keeps nothing from starting. */
  key(label: string, spkiDer: Uint8Array): CaKey {
    const algorithm = keyAlgorithmOf(spkiDer);
    if (algorithm !== 'P-256' && algorithm !== 'P-384') {
      throw new DomainError('ca.key_unavailable', { detail: `${label}: no P-256 or P-384 key` });
    }
    const signParts = () => {
      const hash = createHash(CA_DIGEST[algorithm]);
      const finish = () => this.inTurn(() => this.signDigest(label, algorithm, hash.digest()));
      return { update: (part: Uint8Array) => void hash.update(part), finish };
    };
    return {
      algorithm,
      spkiDer,
      sign: (message) => {
        const signature = signParts();
        signature.update(message);
        return signature.finish();
      },
      signParts,
      check: () => this.check(label),
    };
  }

  /** The key of that label with the public half that the token has of it. @throws DomainError `ca.key_unavailable` */
  openKey(label: string): CaKey {
    return this.key(
      label,
      this.attempt((session) => this.publicKey(session, label)),
    );
  }

  hasKey(label: string): boolean {
    return this.attempt((session) => this.find(session, CK.privateKeyObject, label).length > 0);
  }

  /** Makes a key that never leaves the token; the token's own word on that is read back. */
  generate(label: string, curve: Curve): CaKey {
    if (this.hasKey(label)) throw new DomainError('ca.key_unavailable', { detail: `${label} is in the token already` });
    this.attempt((session) => {
      const shared = [
        { type: CK.token, value: true },
        { type: CK.label, value: label },
        { type: CK.id, value: randomBytes(16) },
      ];
      const publicTemplate: Template = [
        ...shared,
        { type: CK.verify, value: true },
        { type: CK.ecParams, value: CURVE_PARAMETERS[curve] },
      ];
      const privateTemplate: Template = [
        ...shared,
        { type: CK.private, value: true },
        { type: CK.sensitive, value: true },
        { type: CK.extractable, value: false },
        { type: CK.modifiable, value: false },
        { type: CK.sign, value: true },
      ];
      this.driver().C_GenerateKeyPair(session, { mechanism: CK.ecKeyPairGen }, publicTemplate, privateTemplate);
    });
    this.attempt((session) => this.privateKey(session, label));
    return this.openKey(label);
  }

  /** @throws DomainError `ca.key_unavailable` when the token cannot be reached or does not hold the key. */
  check(label: string): void {
    this.attempt((session) => {
      this.driver().C_GetTokenInfo(this.slot());
      this.privateKey(session, label);
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting >= MAX_WAITING) {
      const detail = `${this.waiting} signatures wait for the token`;
      return Promise.reject(new DomainError('ca.key_unavailable', { detail, retryAfterSeconds: 5 }));
    }
    this.waiting += 1;
    const done = this.turn.then(work).finally(() => {
      this.waiting -= 1;
    });
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async signDigest(label: string, algorithm: Curve, digest: Buffer): Promise<Uint8Array> {
    const once = () => {
      const session = this.open();
      this.driver().C_SignInit(session, { mechanism: CK.ecdsa }, this.privateKey(session, label));
      return this.driver().C_SignAsync(session, digest, Buffer.alloc(SIGNATURE_BYTES[algorithm]));
    };
    let raw: Buffer;
    try {
      raw = await Promise.resolve()
        .then(once)
        .catch((error: unknown) => {
          this.forget();
          if (isFinal(error)) throw error;
          return once();
        });
    } catch (error) {
      this.forget();
      throw unavailable(error);
    }
    const der = raw.length === SIGNATURE_BYTES[algorithm] ? p1363ToDer(raw) : undefined;
    if (der === undefined)
      throw new DomainError('ca.signature_wrong', { detail: `${raw.length} bytes from the token` });
    return der;
  }

  /** Tries with the session there is and, when that fails, once more with a new one. */
  private attempt<T>(work: (session: Buffer) => T): T {
    try {
      return work(this.open());
    } catch (error) {
      this.forget();
      if (isFinal(error)) throw unavailable(error);
    }
    try {
      return work(this.open());
    } catch (error) {
      this.forget();
      throw unavailable(error);
    }
  }

  private driver(): Cryptoki {
    this.cryptoki ??= loadCryptoki(this.place.module);
    return this.cryptoki;
  }

  private slot(): Buffer {
    const { tokenLabel } = this.place;
    const driver = this.driver();
    const slots = driver.C_GetSlotList(true).filter((slot) => driver.C_GetTokenInfo(slot).label.trim() === tokenLabel);
    const [slot, ...more] = slots;
    if (slot === undefined) throw new DomainError('ca.key_unavailable', { detail: `no token ${tokenLabel} is there` });
    if (more.length > 0)
      throw new DomainError('ca.key_unavailable', { detail: `several tokens ${tokenLabel} are there` });
    return slot;
  }

  private open(): Buffer {
    if (this.session) return this.session;
    const pin = readFileSync(this.place.pinFile, 'utf8').replace(/\r?\n$/, '');
    const thisPin = keyThumbprint(Buffer.from(pin));
    if (this.refusedPin === thisPin) {
      throw new DomainError('ca.key_unavailable', { detail: 'the token refused this PIN; it is not tried again' });
    }
    const driver = this.driver();
    const session = driver.C_OpenSession(this.slot(), CK.rwSerialSession);
    try {
      driver.C_Login(session, CK.user, pin);
    } catch (error) {
      if (codeOf(error) !== CKR.alreadyLoggedIn) {
        if (isPinRefused(error)) this.refusedPin = thisPin;
        driver.C_CloseSession(session);
        throw error;
      }
    }
    this.refusedPin = undefined;
    this.session = session;
    return session;
  }

  private forget(): void {
    const { session } = this;
    this.session = undefined;
    this.handles = new Map();
    try {
      if (session) this.driver().C_CloseSession(session);
    } catch {
      // It was gone already: that is why it is forgotten.
    }
  }

  private find(session: Buffer, objectClass: number, label: string): Buffer[] {
    const driver = this.driver();
    driver.C_FindObjectsInit(session, [
      { type: CK.class, value: objectClass },
      { type: CK.label, value: label },
    ]);
    try {
      return driver.C_FindObjects(session, 2);
    } finally {
      driver.C_FindObjectsFinal(session);
    }
  }

  /** @throws DomainError for a key that is not there, not the only one of its label, or not kept as a CA key has to be. */
  private privateKey(session: Buffer, label: string): Buffer {
    const known = this.handles.get(label);
    if (known) return known;
    const [key, ...more] = this.find(session, CK.privateKeyObject, label);
    if (key === undefined || more.length > 0) {
      throw new DomainError('ca.key_unavailable', {
        detail: `the token holds ${key ? 'several keys' : 'no key'} ${label}`,
      });
    }
    const types = [CK.sensitive, CK.extractable];
    const [sensitive, extractable] = this.driver()
      .C_GetAttributeValue(
        session,
        key,
        types.map((type) => ({ type })),
      )
      .map(({ value }) => value[0] !== 0);
    if (sensitive !== true || extractable !== false) {
      throw new DomainError('ca.key_unavailable', { detail: `the token would give ${label} out: not a key for a CA` });
    }
    this.handles.set(label, key);
    return key;
  }

  private publicKey(session: Buffer, label: string): Uint8Array {
    const [key] = this.find(session, CK.publicKeyObject, label);
    if (key === undefined)
      throw new DomainError('ca.key_unavailable', { detail: `no public key ${label} in the token` });
    const [parameters, point] = this.driver()
      .C_GetAttributeValue(session, key, [{ type: CK.ecParams }, { type: CK.ecPoint }])
      .map(({ value }) => value);
    return spkiOfPoint(parameters as Buffer, point as Buffer);
  }
}

function isPinRefused(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (CKR.pinRefused as readonly number[]).includes(code);
}

/** Nothing that a new session would mend. */
function isFinal(error: unknown): boolean {
  return isPinRefused(error);
}

function unavailable(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const detail = `the token: ${(error as Error).message}`;
  return new DomainError('ca.key_unavailable', { cause: error, detail, retryAfterSeconds: 5 });
}
