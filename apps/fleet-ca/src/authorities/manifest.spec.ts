import { describe, expect, it } from '@jest/globals';
import { AuthoritiesManifest, activeOf, byKeyId, type GenerationState, signingOf, trustedOf } from './manifest.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const generation = (number: number, state: GenerationState) => ({
  generation: number,
  key: { kind: 'file', file: `keys/vehicle-ca.${number}.key` },
  certificate: `trust/vehicle-ca.${number}.crt`,
  state,
  since: '2026-03-01T12:00:00.000Z',
});
const manifest = (...generations: object[]) => ({
  'vehicle-ca': { profile: 'vehicle-ca', issuer: 'self', generations },
});
const authorityOf = (...states: GenerationState[]) => {
  const parsed = AuthoritiesManifest.parse(manifest(...states.map((state, i) => generation(i + 1, state))));
  return parsed['vehicle-ca'] as NonNullable<(typeof parsed)[string]>;
};
const numbers = (generations: readonly { generation: number }[]) => generations.map((each) => each.generation);

describe('AuthoritiesManifest', () => {
  it('names who signs, who is trusted (the active one first), and who signs CRLs still', () => {
    const authority = authorityOf('retired', 'outgoing', 'active', 'published');
    expect(activeOf(authority).generation).toBe(3);
    expect(numbers(trustedOf(authority))).toEqual([3, 4, 2]);
    expect(numbers(signingOf(authority, NOW))).toEqual([2, 3, 4]);
  });

  it('lets one that was retired while its certificates live sign CRLs until they are over, trusted by nobody', () => {
    const retired = { ...generation(1, 'retired'), listsUntil: '2026-03-01T12:00:00.000Z' };
    const parsed = AuthoritiesManifest.parse(manifest(retired, generation(2, 'active')))['vehicle-ca'];
    const authority = parsed as NonNullable<typeof parsed>;
    expect(numbers(trustedOf(authority))).toEqual([2]);
    expect(numbers(signingOf(authority, new Date(NOW.getTime() - 1)))).toEqual([1, 2]);
    expect(numbers(signingOf(authority, NOW))).toEqual([2]);
  });

  it.each<[string, object]>([
    ['no active generation', manifest(generation(1, 'outgoing'))],
    ['two active generations', manifest(generation(1, 'active'), generation(2, 'active'))],
    ['a generation twice', manifest(generation(1, 'outgoing'), generation(1, 'active'))],
    ['none at all', manifest()],
    ['a key outside its folder', manifest({ ...generation(1, 'active'), key: { kind: 'file', file: '../ca.key' } })],
    ['an absolute path', manifest({ ...generation(1, 'active'), certificate: '/etc/ca.crt' })],
    ['an unknown member', manifest({ ...generation(1, 'active'), passphrase: 'hello' })],
    ['an unknown kind of key', manifest({ ...generation(1, 'active'), key: { kind: 'kms', label: 'x' } })],
    ['a name that is no file name', { 'Vehicle/CA': manifest(generation(1, 'active'))['vehicle-ca'] }],
  ])('refuses %s', (_, given) => {
    expect(AuthoritiesManifest.safeParse(given).success).toBe(false);
  });
});

describe('byKeyId', () => {
  it('finds by the whole identifier alone', () => {
    const opened = ['aa', 'bb'].map((subjectKeyId) => ({ certificate: { subjectKeyId } }));
    expect(byKeyId(opened, 'bb')).toBe(opened[1]);
    expect(byKeyId(opened, 'b')).toBeUndefined();
  });
});
