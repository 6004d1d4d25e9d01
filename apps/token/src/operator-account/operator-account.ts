/** Operators' accounts by the API: who may make and change which, so that nobody widens what is their own. */
import { createPublicKey } from 'node:crypto';
import { DomainError } from '@outrider/errors';
import { z } from 'zod';
import { isRole, outreaches, ROLES, type Role } from '../operator-token/roles.js';
import { publicJwk } from '../signing-key/signing-key.js';

/** An account as it is kept. `id`: the uuid of `sub`. `keyedBy`: identities of those who may hold its key, having set it by the API. */
export interface Account {
  readonly id: string;
  readonly clientId: string;
  readonly kind: 'service' | 'person';
  readonly identity: string;
  readonly roles: readonly string[];
  readonly enabled: boolean;
  /** SPKI in PEM; a person has none. */
  readonly publicKeyPem: string | null;
  readonly keyedBy: readonly string[];
  readonly createdAt: Date;
  readonly changedAt: Date;
}

/** Who changes accounts: as stored, not as its token says. */
export interface Actor {
  readonly id: string;
  readonly identity: string;
  readonly roles: readonly string[];
}

export const ClientId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'letters, digits, . _ -');
export const Identity = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@+-]{0,127}$/, 'who stands behind the account: small letters, digits, . _ @ + -');
const Roles = z
  .array(z.string().refine(isRole, `one of ${ROLES.join(', ')}`))
  .min(1)
  .max(ROLES.length)
  .transform((roles) => [...new Set(roles)] as Role[]);

/** A P-256 public key: assertions are ES256. A private key is refused: it has no business here. */
export const PublicKeyPem = z
  .string()
  .max(1024)
  .transform((pem, context) => {
    const key = parsePublicKey(pem);
    if (key !== undefined) return key;
    context.addIssue('a P-256 public key in PEM');
    return z.NEVER;
  });

/** Makes a service account. People are made where their passwords are: by a command. */
export const AccountBody = z.strictObject({
  client_id: ClientId,
  identity: Identity,
  roles: Roles,
  public_key: PublicKeyPem,
});
export type AccountBody = z.infer<typeof AccountBody>;

export const AccountPatch = z
  .strictObject({
    enabled: z.boolean().optional(),
    roles: Roles.optional(),
    public_key: PublicKeyPem.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'nothing to change');
export type AccountPatch = z.infer<typeof AccountPatch>;

/** By client id; the cursor is the last one shown. */
export const AccountQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z
    .string()
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'))
    .pipe(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/))
    .optional(),
});
export type AccountQuery = z.infer<typeof AccountQuery>;

export function accountCursor({ clientId }: Account): string {
  return Buffer.from(clientId, 'latin1').toString('base64url');
}

/**
 * A new service account.
 * @throws DomainError `operator.own_account` for one of whoever asks, `operator.role_too_wide` for roles with more than the actor's
 */
export function makeAccount(
  by: Actor,
  body: AccountBody,
  { id, now }: { readonly id: string; readonly now: Date },
): Account {
  const { client_id: clientId, identity, roles, public_key: publicKeyPem } = body;
  requireOther(by, { id, identity });
  requireNoWider(by, roles);
  const times = { createdAt: now, changedAt: now };
  return {
    id,
    clientId,
    kind: 'service',
    identity,
    roles,
    enabled: true,
    publicKeyPem,
    keyedBy: [by.identity],
    ...times,
  };
}

/** `ends`: tokens of the account that still live say what is true no more. */
export interface AccountChange {
  readonly account: Account;
  readonly ends: boolean;
}

/**
 * The account changed. Nobody changes an account of their own, be it one of several.
 * @throws DomainError `operator.own_account`, `operator.role_too_wide`, `operator.person_has_no_key`
 */
export function changeAccount(by: Actor, before: Account, patch: AccountPatch, now: Date): AccountChange {
  requireOther(by, before);
  const { enabled = before.enabled, roles = before.roles, public_key: publicKeyPem = before.publicKeyPem } = patch;
  const added = roles.filter((role) => !before.roles.includes(role));
  const newKey = publicKeyPem !== before.publicKeyPem;
  if (newKey && before.kind === 'person') throw new DomainError('operator.person_has_no_key');
  // Whoever sets the key may hold it, and with it all that the account has.
  requireNoWider(by, newKey || (enabled && !before.enabled) ? roles : added);
  const keyedBy = newKey ? [...new Set([...before.keyedBy, by.identity])] : before.keyedBy;
  const account = { ...before, enabled, roles, publicKeyPem, keyedBy, changedAt: now };
  const lost = before.roles.some((role) => !roles.includes(role));
  return { account, ends: newKey || lost || (before.enabled && !enabled) };
}

function requireOther(by: Actor, account: Pick<Account, 'id' | 'identity'>): void {
  if (account.id === by.id || account.identity === by.identity) throw new DomainError('operator.own_account');
}

function requireNoWider(by: Actor, roles: readonly string[]): void {
  const wider = roles.filter((role) => outreaches(role, by.roles));
  if (wider.length > 0) throw new DomainError('operator.role_too_wide', { detail: wider.join(', ') });
}

/** The key as we write it; undefined where it is none of P-256. */
export function parsePublicKey(pem: string): string | undefined {
  if (!pem.includes('-----BEGIN PUBLIC KEY-----')) return undefined;
  try {
    const key = createPublicKey(pem);
    publicJwk(key);
    return key.export({ type: 'spki', format: 'pem' }) as string;
  } catch {
    return undefined;
  }
}

/** The document of the operator API. */
export function accountDocument(account: Account) {
  return {
    sub: `op:${account.id}`,
    client_id: account.clientId,
    kind: account.kind,
    identity: account.identity,
    roles: account.roles,
    enabled: account.enabled,
    ...(account.publicKeyPem === null ? {} : { public_key: account.publicKeyPem }),
    keyed_by: account.keyedBy,
    created_at: account.createdAt.toISOString(),
    changed_at: account.changedAt.toISOString(),
  };
}
