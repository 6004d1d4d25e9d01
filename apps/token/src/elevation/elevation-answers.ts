/** How elevations look in answers. */
import { Instant, page } from '@outrider/contracts';
import { z } from 'zod';
import { type Elevation, stateOf } from './elevation.js';

const fields = {
  elevation_id: z.uuid(),
  scope: z.string(),
  state: z.string(),
  reason: z.string(),
  duration_seconds: z.int(),
  requested_by: z.string(),
  identity: z.string().optional(),
  requested_at: Instant,
  request_expires_at: Instant,
  decided_by: z.string().optional(),
  decided_at: Instant.optional(),
  decision_reason: z.string().optional(),
  ends_at: Instant.optional(),
  revoked_by: z.string().optional(),
  revoked_at: Instant.optional(),
  revocation_reason: z.string().optional(),
} as const;

export const ElevationDocument = z.strictObject(fields).meta({ id: 'Elevation' });
type ElevationDocument = z.input<typeof ElevationDocument>;
export const ElevationPage = page(ElevationDocument).meta({ id: 'ElevationPage' });

export const ElevationDetail = z
  .strictObject({
    ...fields,
    history: z.array(
      z.strictObject({
        event: z.enum(['requested', 'approved', 'rejected', 'revoked']),
        who: z.string(),
        why: z.string().nullable(),
        at: Instant,
      }),
    ),
  })
  .meta({ id: 'ElevationDetail' });

/** The document of the operator API; `now` says what became of it. */
export function elevationDocument(elevation: Elevation, now: Date): ElevationDocument {
  const at = (date: Date | null) => date?.toISOString();
  const document = {
    elevation_id: elevation.elevationId,
    scope: elevation.scope,
    state: stateOf(elevation, now),
    reason: elevation.reason,
    duration_seconds: elevation.durationSeconds,
    requested_by: `op:${elevation.accountId}`,
    identity: elevation.requestedIdentity,
    requested_at: at(elevation.requestedAt),
    request_expires_at: at(elevation.requestExpiresAt),
    decided_by: elevation.decidedBy,
    decided_at: at(elevation.decidedAt),
    decision_reason: elevation.decisionReason,
    ends_at: at(elevation.endsAt),
    revoked_by: elevation.revokedBy,
    revoked_at: at(elevation.revokedAt),
    revocation_reason: elevation.revocationReason,
  };
  const said = Object.entries(document).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(said) as ElevationDocument;
}
