/** Rights that nobody holds for good: asked for by `local-admin`, approved by `local-officer`, who signs in with two factors for it. */
import { outriderJson } from './outrider.js';

const OFFICER = 'local-officer';
const MINUTES = 120;
/** What a test may still need of a grant or a token that is taken up again. */
const ENOUGH_MS = 10 * 60_000;

export type ElevatedScope = 'command:send-critical' | 'ca:revoke-bulk' | 'policy:write';

interface Elevation {
  readonly elevation_id: string;
  readonly scope: string;
  readonly state: string;
  readonly ends_at?: string;
}

const elevations = new Map<ElevatedScope, Promise<string>>();
const tokens = new Map<ElevatedScope, { readonly token: Promise<string>; readonly until: number }>();

/** The id of a live grant, for `outrider --elevation`: one that is there, or a new one. */
export function elevation(scope: ElevatedScope): Promise<string> {
  const known = elevations.get(scope) ?? elevate(scope);
  elevations.set(scope, known);
  return known;
}

/** A token of `local-admin` with the scope beside its standing ones. */
export function elevatedToken(scope: ElevatedScope): Promise<string> {
  const known = tokens.get(scope);
  if (known && known.until > Date.now()) return known.token;
  const token = elevation(scope)
    .then((id) => outriderJson<{ access_token: string }>('token', '--elevation', id))
    .then(({ access_token }) => access_token);
  tokens.set(scope, { token, until: Date.now() + ENOUGH_MS });
  return token;
}

async function elevate(scope: ElevatedScope): Promise<string> {
  const { items } = await outriderJson<{ items: Elevation[] }>('elevation', 'list');
  const live = items.find(
    (one) => one.scope === scope && one.state === 'approved' && Date.parse(one.ends_at ?? '') > Date.now() + ENOUGH_MS,
  );
  if (live) return live.elevation_id;
  const reason = 'a test from outside of the suite';
  const args = ['--scope', scope, '--reason', reason, '--minutes', String(MINUTES)];
  const { elevation_id: id } = await outriderJson<Elevation>('elevation', 'request', ...args);
  await outriderJson('login', '--as', OFFICER);
  await outriderJson('elevation', 'approve', id, '--as', OFFICER);
  return id;
}
