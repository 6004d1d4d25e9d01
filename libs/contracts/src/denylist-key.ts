/** The keys of the bucket DENYLIST: one an entry, one for the heartbeat. */
import type { DenylistKind } from './revocation.js';

/** Where the heartbeat lies. No entry's key can be this one: theirs hold a full stop. */
export const DENYLIST_HEARTBEAT_KEY = 'heartbeat';

/** Where the bucket DENYLIST_SNAPSHOT says what lies in it. */
export const DENYLIST_MANIFEST_KEY = 'manifest';

/** Where the entries lie, for a watch: `<kind>.<value>`. */
export const DENYLIST_ENTRY_KEYS = '*.*';

/** `<kind>.<base64url of the value's UTF-8>`: whatever a value holds (a CIDR's colons, an opaque jti), the key is one that NATS takes. */
export function denylistKey(kind: DenylistKind, value: string): string {
  return `${kind}.${Buffer.from(value).toString('base64url')}`;
}
