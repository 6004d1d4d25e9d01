import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ParsedCertificate, parseCertificates } from '@outrider/x509';
import { certificatePem, replaceFile } from './ca-files.store.js';

/** `old-with-new`: the old root's name and key, signed by the new root's key; `new-with-old` the other way round (RFC 4210 §4.4). */
export type CrossKind = 'old-with-new' | 'new-with-old';

const crossFile = (out: string, root: string, kind: CrossKind) => join(out, 'trust', `${root}.${kind}.crt`);

/** Cross certificates as they are handed out: `trust/<root>.new-with-old.crt` also keeps those of earlier rollovers, for who missed more than one. */
export function writeCross(out: string, root: string, kind: CrossKind, certificate: ParsedCertificate): void {
  const file = crossFile(out, root, kind);
  const there = existsSync(file) ? parseCertificates(readFileSync(file, 'utf8')) : [];
  if (there.some(({ thumbprint }) => thumbprint === certificate.thumbprint)) return;
  const kept = kind === 'new-with-old' ? there : [];
  replaceFile(file, [certificate, ...kept].map(certificatePem).join(''), 0o644);
}

/** NewWithOld first: vehicles that know the old root alone there are, such as know the new one alone there should be none yet. */
export function readCrosses(out: string, root: string): ParsedCertificate[] {
  return (['new-with-old', 'old-with-new'] as const).flatMap((kind) => {
    const file = crossFile(out, root, kind);
    return existsSync(file) ? parseCertificates(readFileSync(file, 'utf8')) : [];
  });
}

/** Once the old root is retired nothing is signed under it any more that the new one would have to reach. */
export function removeOldWithNew(out: string, root: string): void {
  rmSync(crossFile(out, root, 'old-with-new'), { force: true });
}

/** For a key that may be in other hands: what it vouches for is believed no more, and who trusts it alone needs new anchors by hand. */
export function removeNewWithOld(out: string, root: string): void {
  rmSync(crossFile(out, root, 'new-with-old'), { force: true });
}

/** What clients of the services pin: every trusted root, since not every TLS client takes an intermediate as its anchor. */
export function writeServerTrust(out: string, root: string): void {
  const bundle = readFileSync(join(out, 'trust', `${root}.crt`), 'utf8');
  replaceFile(join(out, 'trust', 'server-trust.pem'), bundle, 0o644);
}
