/**
 * Clone detection: what a request for a certificate says about a second holder of its key or its identity. Certain is only what no
 * vehicle does by itself, however it lost its answers, restarted or roamed; all else is said and served.
 */
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { type HeldCertificate, isLive, isPending, newest } from '../certificate/certificate.js';
import type { Finding } from './finding.js';
import { networkOf } from './network.js';

/** The device's last request for a certificate, whatever came of it. */
export interface LastAsk {
  readonly presented: Thumbprint;
  /** Of the key that was to be certified. */
  readonly keyThumbprint: string;
  readonly remoteAddress: string;
  readonly at: Date;
}

export interface CloneFacts {
  readonly operation: 'enrol' | 're-enrol';
  /** The device's certificates that have not lapsed, the presented one, and the newest whatever it is. */
  readonly held: readonly HeldCertificate[];
  /** The certificate of the connection. */
  readonly presented: Thumbprint;
  readonly keyThumbprint: string;
  readonly remoteAddress: string;
  readonly lastAsk: LastAsk | undefined;
  /** Other devices for whom the requested key was certified. */
  readonly keyHolders: readonly DeviceId[];
  /** The requested key stood in a certificate that was revoked. */
  readonly keyRevoked: boolean;
  /** Other devices whose factory certificate holds the presented key. */
  readonly presentedKeyHolders: readonly DeviceId[];
  /** Asked of fleet-ca for each certificate. */
  readonly lifetimeSeconds: number;
}

/** Two networks within this time are two places; never more than half a lifetime, so that one renewal after the other is no finding. */
const TWO_PLACES_SECONDS = 600;
const MANY = 5;

export function clones(facts: CloneFacts, now: Date): Finding[] {
  const byCertificate = facts.operation === 'enrol' ? byFactoryCertificate(facts, now) : byFleetCertificate(facts, now);
  return [...keyReused(facts), ...byCertificate, ...revokedKey(facts), ...twoPlaces(facts, now)];
}

/**
 * A fleet certificate on the denylist was presented. Its own vehicle may not know yet, so it is no proof of a second holder.
 * @param code of the refusal. That the device or its network is denied says nothing of this certificate.
 */
export function deniedIdentity(
  { thumbprint, status, supersededBy }: Pick<HeldCertificate, 'thumbprint' | 'status' | 'supersededBy'>,
  remoteAddress: string,
  code: string,
  reason = 'out of service',
): Finding | undefined {
  if (!DENIED_IDENTITY.has(code)) return undefined;
  const asked = { presented: thumbprint, remoteAddress };
  if (status !== 'superseded') return finding(asked, 'revoked_identity_used', false, `${code}: ${reason}`);
  const detail = 'a superseded certificate asks to be renewed, its overlap over';
  return finding(asked, 'overlapping_renewals', false, detail, supersededBy === null ? [] : [supersededBy]);
}

const DENIED_IDENTITY = new Set(['denylist.certificate', 'denylist.key']);

function keyReused(facts: CloneFacts): Finding[] {
  const { keyHolders, presentedKeyHolders } = facts;
  const found: Finding[] = [];
  if (keyHolders.length > 0) {
    const names = keyHolders.slice(0, MANY).join(', ');
    found.push(finding(facts, 'key_reused', true, `the requested key is certified for ${names}`, [], 'requested key'));
  }
  if (presentedKeyHolders.length > 0) {
    // The manufacturer vouched for both, and some give a whole series one key: for a person to judge.
    const names = presentedKeyHolders.slice(0, MANY).join(', ');
    found.push(
      finding(facts, 'key_reused', false, `the factory certificate's key is also ${names}'s`, [], 'factory key'),
    );
  }
  return found;
}

function byFactoryCertificate(facts: CloneFacts, now: Date): Finding[] {
  const { held, keyThumbprint } = facts;
  if (newest(held)?.status === 'revoked') {
    return [
      finding(facts, 'revoked_identity_used', false, 'the fleet certificate was revoked; the factory certificate asks'),
    ];
  }
  const live = held.filter((one) => isLive(one, now));
  // Who can sign with the live certificate's key is the vehicle that has it.
  if (live.length === 0 || live.some((one) => one.keyThumbprint === keyThumbprint)) return [];
  const detail = 'the factory certificate asks while a fleet certificate is in use';
  return [finding(facts, 'factory_certificate_while_live', true, detail, thumbprints(live))];
}

function byFleetCertificate(facts: CloneFacts, now: Date): Finding[] {
  const { held, presented, keyThumbprint } = facts;
  const current = held.find((one) => one.thumbprint === presented);
  if (!current) return [];
  if (current.status === 'revoked') {
    return [finding(facts, 'revoked_identity_used', false, 'a revoked fleet certificate asks to be renewed')];
  }
  const asked = held.filter((one) => one.askedBy === presented);
  // The same key again is the same vehicle again, however late.
  if (asked.some((one) => one.keyThumbprint === keyThumbprint)) return [];
  const used = inUseAfter(current, held);
  if (used.length > 0) {
    const detail =
      'another certificate of the device took its place and is in use, and it asks to be renewed with another key';
    return [finding(facts, 'overlapping_renewals', true, detail, thumbprints(used))];
  }
  const unused = held.filter((one) => one.askedBy === presented && isPending(one, now));
  if (current.status !== 'superseded' && unused.length === 0) return [];
  const detail =
    current.status === 'superseded'
      ? 'it gave way to another that was never used, and asks to be renewed'
      : 'it was renewed already, and asks again with another key while the first answer is unused';
  return [finding(facts, 'overlapping_renewals', false, detail, thumbprints(unused))];
}

/**
 * What took the certificate's place and was seen in use: its successor, or what the factory certificate enrolled after it. In use it
 * stays though it has lapsed since.
 */
export function inUseAfter(current: HeldCertificate, held: readonly HeldCertificate[]): HeldCertificate[] {
  // One that gave way without an overlap may never have been used itself.
  const wasUsed = (one: HeldCertificate) =>
    one.status === 'live' || (one.status === 'superseded' && one.overlapEndsAt !== null);
  const after = (one: HeldCertificate) => one.thumbprint === current.supersededBy || one.createdAt > current.createdAt;
  return held.filter((one) => one !== current && after(one) && wasUsed(one));
}

function revokedKey(facts: CloneFacts): Finding[] {
  if (!facts.keyRevoked) return [];
  return [finding(facts, 'revoked_identity_used', false, 'the requested key stood in a revoked certificate')];
}

/** Vehicles roam, and ask again from wherever they are: only another key from another network says that there may be two. */
function twoPlaces(facts: CloneFacts, now: Date): Finding[] {
  const { lastAsk, remoteAddress, keyThumbprint, lifetimeSeconds } = facts;
  if (!lastAsk || lastAsk.keyThumbprint === keyThumbprint) return [];
  const agoSeconds = (now.getTime() - lastAsk.at.getTime()) / 1000;
  if (agoSeconds > Math.min(TWO_PLACES_SECONDS, lifetimeSeconds / 2)) return [];
  const [before, after] = [networkOf(lastAsk.remoteAddress), networkOf(remoteAddress)];
  if (before === after) return [];
  const detail = `asked from ${before} and ${after} within ${Math.ceil(Math.max(0, agoSeconds))} s, for two keys`;
  const both = { ...facts, remoteAddress };
  const one = finding(both, 'identity_in_two_places', false, detail, [lastAsk.presented], 'two networks');
  return [{ ...one, remoteAddresses: [remoteAddress, lastAsk.remoteAddress] }];
}

function thumbprints(held: readonly HeldCertificate[]): Thumbprint[] {
  return held.map(({ thumbprint }) => thumbprint);
}

function finding(
  { presented, remoteAddress }: Pick<CloneFacts, 'presented' | 'remoteAddress'>,
  kind: Finding['kind'],
  certain: boolean,
  detail: string,
  others: readonly Thumbprint[] = [],
  about: string = presented,
): Finding {
  const all = [...new Set([presented, ...others])].slice(0, MANY);
  return { kind, certain, thumbprints: all, remoteAddresses: [remoteAddress], detail, about };
}
