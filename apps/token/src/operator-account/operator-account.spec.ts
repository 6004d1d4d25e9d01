import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import {
  type Account,
  AccountBody,
  AccountPatch,
  AccountQuery,
  accountCursor,
  accountDocument,
  changeAccount,
  makeAccount,
} from './operator-account.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const pem = (curve = 'P-256') =>
  generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ type: 'spki', format: 'pem' }) as string;
const ADMIN = { id: 'a', identity: 'ann', roles: ['admin'] };
const OFFICER = { id: 'b', identity: 'ben', roles: ['security-operator'] };
const body = { client_id: 'nightly', identity: 'platform', roles: ['viewer'], public_key: pem() };
const made = makeAccount(ADMIN, AccountBody.parse(body), { id: 'n', now: NOW });
const code = (name: string) => expect.objectContaining({ code: name });

describe('a service account', () => {
  it('is made with who may hold its key written down', () => {
    expect(made).toMatchObject({ kind: 'service', enabled: true, roles: ['viewer'], keyedBy: ['ann'] });
    expect(accountDocument(made)).toMatchObject({ sub: 'op:n', client_id: 'nightly', keyed_by: ['ann'] });
  });

  test.each([
    ['a key of another curve', { public_key: pem('P-384') }],
    [
      'a private key',
      {
        public_key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
          type: 'pkcs8',
          format: 'pem',
        }),
      },
    ],
    ['no role', { roles: [] }],
    ['an unknown role', { roles: ['root'] }],
    ['a client id of blanks', { client_id: ' ' }],
    ['something more', { enabled: true }],
  ])('is not made with %s', (_name, change) => {
    expect(AccountBody.safeParse({ ...body, ...change }).success).toBe(false);
  });

  it('is never one of whoever makes it, and has no more than its maker', () => {
    const make = (by: typeof ADMIN, change: object) =>
      makeAccount(by, AccountBody.parse({ ...body, ...change }), { id: 'n', now: NOW });
    expect(() => make(ADMIN, { identity: 'ann' })).toThrow(code('operator.own_account'));
    expect(() => make(OFFICER, { roles: ['fleet-operator'] })).toThrow(code('operator.role_too_wide'));
    expect(() => make(OFFICER, { roles: ['viewer', 'admin'] })).toThrow(code('operator.role_too_wide'));
    expect(make(OFFICER, { roles: ['ca-operator'] }).roles).toEqual(['ca-operator']);
  });
});

describe('a change', () => {
  const change = (patch: object, before: Account = made, by = ADMIN) =>
    changeAccount(by, before, AccountPatch.parse(patch), NOW);

  test.each<[string, object, boolean]>([
    ['switched off', { enabled: false }, true],
    ['given a new key', { public_key: pem() }, true],
    ['with a role taken away', { roles: ['auditor'] }, true],
    ['with a role more', { roles: ['viewer', 'auditor'] }, false],
    ['left as it is', { enabled: true }, false],
  ])('%s: whether its tokens end', (_name, patch, ends) => {
    expect(change(patch).ends).toBe(ends);
  });

  it('of a key adds to who may hold it, once', () => {
    const cleo = { id: 'c', identity: 'cleo', roles: ['admin'] };
    const twice = change({ public_key: pem() }, change({ public_key: pem() }, made, cleo).account, cleo);
    expect(twice.account.keyedBy).toEqual(['ann', 'cleo']);
  });

  it('is of nobody’s own account, by any account of theirs', () => {
    for (const own of [
      { ...made, id: ADMIN.id },
      { ...made, identity: ADMIN.identity },
    ])
      expect(() => change({ roles: ['admin'] }, own)).toThrow(code('operator.own_account'));
  });

  it('gives nothing that its maker has not, nor by switching on again, nor by a key of theirs', () => {
    const wider = { ...made, roles: ['fleet-operator'] };
    expect(() => change({ public_key: pem() }, wider, OFFICER)).toThrow(code('operator.role_too_wide'));
    expect(() => change({ roles: ['viewer', 'fleet-operator'] }, made, OFFICER)).toThrow(
      code('operator.role_too_wide'),
    );
    const off = { ...made, roles: ['admin'], enabled: false };
    expect(() => change({ enabled: true }, off, OFFICER)).toThrow(code('operator.role_too_wide'));
    expect(change({ enabled: true }, off).account.enabled).toBe(true);
  });

  it('gives a person no key, and says what it changes', () => {
    const person = { ...made, kind: 'person', publicKeyPem: null } as const;
    expect(() => change({ public_key: pem() }, person)).toThrow(code('operator.person_has_no_key'));
    expect(AccountPatch.safeParse({}).success).toBe(false);
    expect(AccountPatch.safeParse({ identity: 'ann' }).success).toBe(false);
  });
});

it('a cursor comes back', () => {
  expect(AccountQuery.parse({ after: accountCursor(made) })).toEqual({ limit: 100, after: 'nightly' });
  expect(AccountQuery.safeParse({ after: 'ÿ' }).success).toBe(false);
});
