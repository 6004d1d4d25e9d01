import { generateKeyPairSync } from 'node:crypto';
import { signDer } from '@outrider/crypto';
import type { ThrowawayKey } from '@outrider/x509';

/** Made at start, one of each type that a CA key may have; they certify nothing and are gone with the process. */
export function throwawayKeys(): Readonly<Record<'P-256' | 'P-384', ThrowawayKey>> {
  return { 'P-256': throwawayKey('P-256'), 'P-384': throwawayKey('P-384') };
}

function throwawayKey(namedCurve: 'P-256' | 'P-384'): ThrowawayKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  return { sign: (tbs) => signDer(privateKey, tbs) };
}
