/** Block, the decision log, and what edges ask. */
import type { CodeTable } from '../code-entry.js';

export const GATEWAY_CODES = {
  'gateway.target_missing': { status: 400, title: 'Name what to block.', retry: 'changed' },
  'gateway.target_conflict': { status: 409, title: 'Device and thumbprint disagree.', retry: 'changed' },
  'gateway.network_refused': { status: 422, title: 'This network cannot be blocked.', retry: 'changed' },
  'gateway.not_blocked': { status: 409, title: 'It is not blocked.', retry: 'changed' },
  'gateway.reason_required': { status: 400, title: 'A reason is required.', retry: 'changed' },
  'gateway.reprovision_required': {
    status: 409,
    title: 'After a key compromise only re-provisioning restores the device.',
    retry: 'changed',
  },
  'gateway.edge_unknown': { status: 403, title: 'This is for configured edge proxies alone.', retry: 'never' },
  'gateway.edge_request_invalid': {
    status: 400,
    title: 'The edge does not say what its client asked, or says it twice.',
    retry: 'never',
  },
  'gateway.route_unknown': { status: 403, title: 'No rule lets this method and path by.', retry: 'never' },
  'gateway.path_ambiguous': { status: 400, title: 'The path can be read in more than one way.', retry: 'changed' },
} as const satisfies CodeTable;
