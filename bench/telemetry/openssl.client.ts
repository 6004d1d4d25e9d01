import { spawnSync } from 'node:child_process';

/** What one verification costs OpenSSL on this machine in this minute, CPU microseconds; undefined where there is no `openssl`. */
export interface VerificationMicros {
  readonly p256: number;
  readonly ed25519: number;
}

/** `openssl speed` counts user CPU time, so that a busy machine does not change it much. */
export function opensslVerification(): VerificationMicros | undefined {
  const { status, stdout } = spawnSync('openssl', ['speed', '-seconds', '2', 'ed25519', 'ecdsap256'], {
    encoding: 'utf8',
  });
  if (status !== 0) return undefined;
  const p256 = perSecond(stdout, /\(nistp256\)/);
  const ed25519 = perSecond(stdout, /Ed25519/);
  return p256 && ed25519 ? { p256: 1e6 / p256, ed25519: 1e6 / ed25519 } : undefined;
}

/** The last column of the line: verifications a second. */
function perSecond(output: string, name: RegExp): number | undefined {
  const line = output.split('\n').find((one) => name.test(one) && /s\s+\d/.test(one));
  const value = Number(line?.trim().split(/\s+/).at(-1));
  return value > 0 ? value : undefined;
}
