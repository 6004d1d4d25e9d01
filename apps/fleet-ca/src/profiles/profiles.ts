/** Which profiles this fleet-ca signs by: those that its configuration offers, of the product's own and of further files. */
import { DomainError } from '@outrider/errors';
import { type CertificateProfile, PROFILES, parseProfile } from '@outrider/x509';

/** A further profile: the name of its file without `.json`, and what stands in it. */
export interface ProfileSource {
  readonly name: string;
  readonly json: unknown;
}

/**
 * @param offered names; each must be there, and be one that a service may ask for.
 * @throws DomainError `ca.profile_invalid` naming the profile and what is wrong with it.
 */
export function offeredProfiles(
  offered: readonly string[],
  further: readonly ProfileSource[],
): ReadonlyMap<string, CertificateProfile> {
  const known = new Map<string, CertificateProfile>(Object.entries(PROFILES));
  for (const { name, json } of further) {
    const profile = parseProfile(json);
    if (profile.name !== name) throw invalid(`${name}.json calls itself ${profile.name}`);
    // One that came with the product never means something else here.
    if (known.has(name)) throw invalid(`${name} is the name of a profile that is there already`);
    known.set(name, profile);
  }
  return new Map(offered.map((name) => [name, requestable(known.get(name), name)]));
}

function requestable(profile: CertificateProfile | undefined, name: string): CertificateProfile {
  if (profile === undefined) throw invalid(`${name} is offered, but there is no such profile`);
  if (profile.requestedBy.length === 0) throw invalid(`${name} is offered, but no service may ask for it`);
  return profile;
}

function invalid(detail: string): DomainError {
  return new DomainError('ca.profile_invalid', { detail });
}
