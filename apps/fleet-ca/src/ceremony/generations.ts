/** The moves of a rollover as the manifest has them: a generation is published, becomes active while the one before goes out, and is retired. */
import { activeOf, type Generation, type GenerationState, type ManifestAuthority } from '../authorities/manifest.js';

const DAY_SECONDS = 86_400;

/**
 * The longest that something relies on an authority after it has stopped signing, by its profile: the longest life of what it signs;
 * for a root, that of a vehicle's certificate, since a vehicle asks for the anchors at each renewal.
 */
const LONGEST_RELIANCE_SECONDS: Readonly<Record<string, number>> = {
  root: 30 * DAY_SECONDS,
  'vehicle-ca': 30 * DAY_SECONDS,
  'control-ca': 2 * DAY_SECONDS,
  'infrastructure-ca': 398 * DAY_SECONDS,
};
const LONGEST_OF_ALL_SECONDS = 398 * DAY_SECONDS;

/** The number of the next generation; a published one that waits is it. */
export function nextGeneration({ generations }: ManifestAuthority): number {
  const waiting = generations.find(({ state }) => state === 'published');
  return waiting?.generation ?? Math.max(...generations.map(({ generation }) => generation)) + 1;
}

export function find(name: string, { generations }: ManifestAuthority, wanted: number): Generation {
  const found = generations.find(({ generation }) => generation === wanted);
  if (found === undefined) throw new Error(`${name} has no generation ${wanted}`);
  return found;
}

/** Trusted from now on, and signing nothing yet. */
export function publish(
  authority: ManifestAuthority,
  added: Omit<Generation, 'state' | 'since'>,
  now: Date,
): ManifestAuthority {
  if (authority.generations.some(({ generation }) => generation === added.generation)) return authority;
  const published: Generation = { ...added, state: 'published', since: now.toISOString() };
  return { ...authority, generations: [...authority.generations, published] };
}

/**
 * The published generation signs from now on, the active one only CRLs.
 * @param minWaitSeconds since publication: before that a relying party may not have taken it up.
 * @throws Error for a generation that is not published, or not for long enough.
 */
export function activate(
  name: string,
  authority: ManifestAuthority,
  wanted: number,
  minWaitSeconds: number,
  now: Date,
): ManifestAuthority {
  const next = find(name, authority, wanted);
  if (next.state === 'active') return authority;
  if (next.state !== 'published')
    throw new Error(`${name} ${wanted} is ${next.state}; only a published generation can be activated`);
  const waitedSeconds = secondsSince(next, now);
  if (waitedSeconds < minWaitSeconds) {
    const left = Math.ceil(minWaitSeconds - waitedSeconds);
    throw new Error(
      `${name} ${wanted} has been published for ${Math.floor(waitedSeconds)} s only: wait ${left} s more, until every service has taken it up`,
    );
  }
  const before = activeOf(authority).generation;
  return moved(moved(authority, before, 'outgoing', now), wanted, 'active', now);
}

/**
 * Trusted by nobody from now on. Where certificates of an issuing CA may still live, its lists go on until then: the fleet refuses them by
 * itself, but relying parties elsewhere may not have heard of it.
 * @param relianceSeconds how long its certificates may live on; undefined: the longest of its profile.
 * @throws Error for the active generation, and while something may still rely on it unless `force`.
 */
export function retire(
  name: string,
  authority: ManifestAuthority,
  wanted: number,
  rule: { readonly relianceSeconds: number | undefined; readonly force: boolean },
  now: Date,
): ManifestAuthority {
  const old = find(name, authority, wanted);
  if (old.state === 'retired') return authority;
  if (old.state === 'active') throw new Error(`${name} ${wanted} is active: activate another generation first`);
  const reliance = rule.relianceSeconds ?? LONGEST_RELIANCE_SECONDS[authority.profile] ?? LONGEST_OF_ALL_SECONDS;
  const until = new Date(Date.parse(old.since) + reliance * 1000);
  if (old.state === 'outgoing' && now < until && !rule.force) {
    throw new Error(
      `certificates of ${name} ${wanted} may live until ${until.toISOString()}: retire it then, or --force`,
    );
  }
  const lives = old.state === 'outgoing' && authority.profile === 'vehicle-ca' && now < until;
  return moved(authority, wanted, 'retired', now, lives ? { listsUntil: until.toISOString() } : {});
}

function moved(
  authority: ManifestAuthority,
  wanted: number,
  state: GenerationState,
  now: Date,
  more: Pick<Generation, 'listsUntil'> = {},
): ManifestAuthority {
  const since = now.toISOString();
  const generations = authority.generations.map((each) =>
    each.generation === wanted ? { ...each, state, since, ...more } : each,
  );
  return { ...authority, generations };
}

function secondsSince({ since }: Generation, now: Date): number {
  return (now.getTime() - Date.parse(since)) / 1000;
}
