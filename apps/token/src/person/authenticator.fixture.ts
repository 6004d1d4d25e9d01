import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const hash = (data: string | Uint8Array) => createHash('sha256').update(data).digest();

/** What a browser and a security key do together, in software: a P-256 key, attestation none (WebAuthn Level 2 §6.1, §6.5). */
export class SoftAuthenticator {
  readonly id = randomBytes(16);
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  counter = 1;

  constructor(
    readonly rpId: string,
    readonly origin: string,
  ) {}

  /** The answer to `navigator.credentials.create`. `flags`: UP 1, UV 4, AT 0x40. */
  register(challenge: string, { flags = 0x45, origin = this.origin } = {}) {
    const { x, y } = this.keys.publicKey.export({ format: 'jwk' });
    const cose = Buffer.concat([
      // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
      Buffer.from('a5010203262001215820', 'hex'),
      Buffer.from(x!, 'base64url'),
      Buffer.from('225820', 'hex'),
      Buffer.from(y!, 'base64url'),
    ]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.id.length);
    const authData = Buffer.concat([this.authData(flags), Buffer.alloc(16), length, this.id, cose]);
    const size = Buffer.from([0x58, authData.length]);
    // {"fmt": "none", "attStmt": {}, "authData": bytes}
    const attestation = Buffer.concat([
      Buffer.from('a363666d74646e6f6e656761747453746d74a0686175746844617461', 'hex'),
      size,
      authData,
    ]);
    return this.answer({
      clientDataJSON: this.clientData('webauthn.create', challenge, origin).toString('base64url'),
      attestationObject: attestation.toString('base64url'),
      transports: ['usb'],
    });
  }

  /** The answer to `navigator.credentials.get`. */
  authenticate(challenge: string, { flags = 0x05, origin = this.origin, counter = ++this.counter } = {}) {
    this.counter = counter;
    const authData = this.authData(flags);
    const clientData = this.clientData('webauthn.get', challenge, origin);
    const signature = sign('sha256', Buffer.concat([authData, hash(clientData)]), this.keys.privateKey);
    return this.answer({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: signature.toString('base64url'),
    });
  }

  private authData(flags: number): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.counter);
    return Buffer.concat([hash(this.rpId), Buffer.from([flags]), counter]);
  }

  private clientData(type: string, challenge: string, origin: string): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  private answer(response: object) {
    const id = this.id.toString('base64url');
    return { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response };
  }
}
