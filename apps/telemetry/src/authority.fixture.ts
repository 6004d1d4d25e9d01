import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { ACR, OPERATOR_AUDIENCE, vehicleAudience } from '@outrider/admission';
import { type DenylistEntry, jwksGet, vehicleCertificateGet } from '@outrider/contracts';
import { JWS_TYP, signJws } from '@outrider/crypto';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { startDenylist, type TestDenylist, type TestNats } from '@outrider/testing';

export const TOKEN_KEY_ID = 'test-key';
const ISSUER = 'https://127.0.0.1:8442';

type Connection = Awaited<ReturnType<TestNats['connectAs']>>;
/** What provisioning would answer for a thumbprint. */
export type KnownCertificate = {
  certificate: string;
  deviceId: string;
  status: string;
  supersededAt?: string;
  revokedAt?: string;
};

/** Stands in for the services around telemetry, on the real NATS under their own users: token, revocation, provisioning. */
export class Authority {
  /** Signing certificates that provisioning knows, by thumbprint. */
  readonly certificates = new Map<string, KnownCertificate>();
  /** How often provisioning was asked. */
  asked = 0;
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  private constructor(
    private readonly token: Connection,
    private readonly denylist: TestDenylist,
    private readonly provisioning: Connection,
  ) {}

  static async start(nats: TestNats): Promise<Authority> {
    const [token, denylist, provisioning] = await Promise.all([
      nats.connectAs('token'),
      startDenylist(nats),
      nats.connectAs('provisioning'),
    ]);
    const authority = new Authority(token, denylist, provisioning);
    authority.serve();
    return authority;
  }

  async stop(): Promise<void> {
    await Promise.all([this.token.close(), this.denylist.stop(), this.provisioning.close()]);
  }

  deviceToken(deviceId: DeviceId, thumbprint: Thumbprint, scope: string): string {
    const cnf = { 'x5t#S256': thumbprint };
    return this.sign({ sub: deviceId, client_id: deviceId, aud: vehicleAudience('telemetry'), scope, cnf });
  }

  operatorToken(scope: string): string {
    const sub = `op:${randomUUID()}`;
    const signIn = { acr: ACR.service, amr: ['pop'], auth_time: Math.floor(Date.now() / 1000) };
    return this.sign({ sub, client_id: 'local-admin', aud: OPERATOR_AUDIENCE, scope, roles: ['admin'], ...signIn });
  }

  deny(kind: DenylistEntry['kind'], value: string): Promise<void> {
    return this.denylist.deny({ kind, value });
  }

  private sign(claims: object): string {
    const now = Math.floor(Date.now() / 1000);
    const times = { iss: ISSUER, iat: now, nbf: now, exp: now + 120, jti: randomUUID() };
    return signJws({
      header: { typ: JWS_TYP.accessToken, kid: TOKEN_KEY_ID },
      payload: JSON.stringify({ ...times, ...claims }),
      key: this.keys.privateKey,
    });
  }

  private serve(): void {
    const { x, y } = this.keys.publicKey.export({ format: 'jwk' });
    const jwk = { kty: 'EC', crv: 'P-256', x, y, kid: TOKEN_KEY_ID, use: 'sig', alg: 'ES256' };
    this.token.subscribe(jwksGet.subject, {
      callback: (_error, message) => void message.respond(JSON.stringify({ ok: { keys: [jwk] } })),
    });
    this.provisioning.subscribe(vehicleCertificateGet.subject, {
      callback: (_error, message) => {
        this.asked++;
        const { thumbprint } = message.json<{ thumbprint: string }>();
        const found = this.certificates.get(thumbprint);
        const reply = found ? { ok: found } : { error: { code: 'provisioning.certificate_not_found' } };
        message.respond(JSON.stringify(reply));
      },
    });
  }
}
