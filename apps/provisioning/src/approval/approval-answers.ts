/** How enrolments that wait for an approval look in answers. */
import { Instant, page } from '@outrider/contracts';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { APPROVAL_STATES } from './approval.js';

export const EnrolmentApproval = z
  .strictObject({
    id: z.uuid(),
    state: z.enum(APPROVAL_STATES),
    device_id: DeviceId,
    manufacturer: z.string(),
    serial_number: z.string(),
    label: z.string(),
    csr_sha256: z.string(),
    key_thumbprint: z.string(),
    factory_thumbprint: Thumbprint,
    remote_address: z.string(),
    requested_at: Instant,
    expires_at: Instant,
    decided_by: z.string().nullable().optional(),
    decided_at: Instant.optional(),
    reason: z.string().optional(),
    issued_at: Instant.optional(),
  })
  .meta({ id: 'EnrolmentApproval' });

export const EnrolmentApprovalPage = page(EnrolmentApproval).meta({ id: 'EnrolmentApprovalPage' });
