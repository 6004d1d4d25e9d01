/** Decides whether a value can name what its kind says: the list is read by every service, so nothing else gets in. */
import { parseNetwork } from '@outrider/admission';
import { KeyThumbprint } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import type { EntryName } from './claim.js';

/** @throws DomainError `request.invalid` */
export function requireEntryValue({ kind, value }: EntryName): void {
  if (!isValue({ kind, value })) throw new DomainError('request.invalid', { detail: `the value names no ${kind}` });
}

function isValue({ kind, value }: EntryName): boolean {
  switch (kind) {
    case 'certificate':
      return Thumbprint.safeParse(value).success;
    case 'serial':
      return /^[0-9a-f]{40}-(?:[0-9a-f]{2}){1,20}$/.test(value);
    case 'key':
      return KeyThumbprint.safeParse(value).success;
    case 'device':
      return DeviceId.safeParse(value).success;
    case 'token':
      return JwtId.safeParse(value).success;
    case 'network':
      return parseNetwork(value) !== undefined;
  }
}
