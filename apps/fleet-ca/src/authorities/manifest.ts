/** The manifest of a fleet's authorities: which generations each has, where key and certificate of each lie, and what each may still do. */
import { z } from 'zod';

/** Names files too (`trust/<name>.crt`), so it is a plain word. */
export const AuthorityName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'an authority is named in a-z, 0-9 and -');
export type AuthorityName = z.infer<typeof AuthorityName>;

/** Relative to the manifest's own folder, and never above it. */
const PathBelow = z
  .string()
  .refine((path) => /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(path), 'a path below the CA folder');

/** A key in an encrypted PKCS#8 file, or one that was made in a PKCS#11 token and cannot leave it. */
export const KeyReference = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file'), file: PathBelow }),
  z.strictObject({ kind: z.literal('pkcs11'), label: z.string().min(1).max(128) }),
]);
export type KeyReference = z.infer<typeof KeyReference>;

/**
 * `published`: trusted, signs no certificates yet; `active`: signs; `outgoing`: signs only CRLs for what it has issued, still trusted;
 * `retired`: trusted no more; it goes on with its lists where it was retired while certificates of it may live.
 */
export const GenerationState = z.enum(['published', 'active', 'outgoing', 'retired']);
export type GenerationState = z.infer<typeof GenerationState>;

export const Generation = z.strictObject({
  generation: z.int().min(1),
  key: KeyReference,
  certificate: PathBelow,
  state: GenerationState,
  /** When it came into that state. */
  since: z.iso.datetime(),
  /** Of a retired one: relying parties elsewhere may ask for its lists until then; its key has to be kept as long. */
  listsUntil: z.iso.datetime().optional(),
});
export type Generation = z.infer<typeof Generation>;

export const ManifestAuthority = z
  .strictObject({
    /** The certificate profile of the authority itself, e.g. `vehicle-ca`: what it may sign follows from it. */
    profile: z.string().min(1),
    issuer: z.union([z.literal('self'), AuthorityName]),
    generations: z.array(Generation).min(1),
  })
  .refine(
    ({ generations }) => generations.filter(({ state }) => state === 'active').length === 1,
    'exactly one generation is active',
  )
  .refine(
    ({ generations }) => generations.every(({ generation }, i) => generation > (generations[i - 1]?.generation ?? 0)),
    'generations stand in the order of their numbers, each once',
  );
export type ManifestAuthority = z.infer<typeof ManifestAuthority>;

export const AuthoritiesManifest = z.record(AuthorityName, ManifestAuthority);
export type AuthoritiesManifest = z.infer<typeof AuthoritiesManifest>;

/** The one generation that signs. */
export function activeOf(authority: ManifestAuthority): Generation {
  const active = authority.generations.find(({ state }) => state === 'active');
  if (active === undefined) throw new Error('a manifest without an active generation is refused on reading');
  return active;
}

/** What relying parties anchor on, the active generation first, then the newest: the order of the bundle `trust/<name>.crt`. */
export function trustedOf(authority: ManifestAuthority): Generation[] {
  const others = authority.generations.filter(({ state }) => state === 'published' || state === 'outgoing');
  return [activeOf(authority), ...others.reverse()];
}

/**
 * Whose keys have to be at hand: all sign CRLs, also the outgoing ones, the published ones, whose lists are there before their
 * certificates, and those that were retired while certificates of them may live.
 */
export function signingOf(authority: ManifestAuthority, now: Date): Generation[] {
  return authority.generations.filter((generation) => signsLists(generation, now));
}

export function signsLists({ state, listsUntil }: Generation, now: Date): boolean {
  return state !== 'retired' || (listsUntil !== undefined && now < new Date(listsUntil));
}

/**
 * The one among opened generations with that subject key identifier.
 * @param keyId hex, as in a certificate's authority key identifier.
 */
export function byKeyId<T extends { readonly certificate: { readonly subjectKeyId: string | undefined } }>(
  opened: readonly T[],
  keyId: string,
): T | undefined {
  return opened.find(({ certificate }) => certificate.subjectKeyId === keyId);
}
