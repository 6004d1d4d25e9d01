/** EST and the device registry. */
import type { CodeTable } from '../code-entry.js';

export const PROVISIONING_CODES = {
  'est.csr_malformed': { status: 400, title: 'The body is no certificate request.', retry: 'never' },
  'est.csr_key_refused': { status: 400, title: "The request's key is not allowed.", retry: 'changed' },
  'est.csr_signature_invalid': {
    status: 400,
    title: "The request's proof of possession does not verify.",
    retry: 'never',
  },
  'est.csr_name_mismatch': { status: 400, title: 'The request names another device.', retry: 'changed' },
  'est.csr_authority_refused': { status: 400, title: 'The request asks to be a CA.', retry: 'changed' },
  'est.label_unknown': { status: 404, title: 'There is no such EST label.', retry: 'never' },
  'est.label_refused': { status: 403, title: 'The EST label does not take this device.', retry: 'changed' },
  'est.channel_binding_required': {
    status: 400,
    title: 'The request must carry the channel binding of its connection.',
    retry: 'changed',
  },
  'est.channel_binding_wrong': {
    status: 400,
    title: "The challenge password is not this connection's channel binding.",
    retry: 'changed',
  },
  'est.server_key_generation_off': { status: 403, title: 'No keys are made under this label.', retry: 'never' },
  'est.key_encryption_unsupported': {
    status: 400,
    title: 'A key made here is protected by TLS alone.',
    retry: 'changed',
  },
  'est.certificate_required': { status: 401, title: 'Enrolment needs a client certificate.', retry: 'changed' },
  'est.manufacturer_unknown': {
    status: 403,
    title: 'No configured manufacturer vouches for this certificate.',
    retry: 'never',
  },
  'est.device_unknown': { status: 403, title: 'The device is not in the registry.', retry: 'changed' },
  'est.device_state_refused': { status: 403, title: "The device's state does not allow enrolment.", retry: 'never' },
  'est.certificate_refused': {
    status: 403,
    title: 'The client certificate may not be used for this operation.',
    retry: 'never',
  },
  'est.approval_rejected': { status: 403, title: 'An operator rejected this enrolment.', retry: 'changed' },
  'est.approvals_full': {
    status: 429,
    title: 'Too many enrolments already wait for an operator.',
    retry: 'later',
  },
  'est.certificate_id_malformed': {
    status: 400,
    title: "This is no certificate's identifier (RFC 9773 §4.1).",
    retry: 'never',
  },
  'est.certificate_unknown': { status: 404, title: 'No such certificate was handed out here.', retry: 'never' },
  'provisioning.rotation_not_found': { status: 404, title: 'There is no such rotation.', retry: 'never' },
  'provisioning.rotation_empty': { status: 409, title: 'No vehicle in service fits the rotation.', retry: 'changed' },
  'provisioning.device_not_found': { status: 404, title: 'There is no such device.', retry: 'never' },
  'provisioning.device_conflict': { status: 409, title: 'The device exists with other properties.', retry: 'changed' },
  'provisioning.state_conflict': { status: 409, title: "The device's state does not allow this.", retry: 'changed' },
  'provisioning.order_required': {
    status: 409,
    title: 'This needs an order that a second operator approves.',
    retry: 'changed',
  },
  'provisioning.order_not_found': { status: 404, title: 'There is no such order.', retry: 'never' },
  'provisioning.order_pending': { status: 409, title: 'Another order for the device waits.', retry: 'changed' },
  'provisioning.order_closed': { status: 409, title: 'The order was decided or has expired.', retry: 'never' },
  'provisioning.order_same_operator': {
    status: 403,
    title: 'Another operator than the one who asked must decide.',
    retry: 'changed',
  },
  'provisioning.evidence_required': { status: 400, title: 'Name the evidence of the hardware.', retry: 'changed' },
  'provisioning.factory_identity_refused': {
    status: 409,
    title: 'The factory identity is in use, or was taken out of service.',
    retry: 'changed',
  },
  'provisioning.certificate_not_found': { status: 404, title: 'There is no such certificate.', retry: 'never' },
  'provisioning.manufacturer_invalid': {
    status: 400,
    title: 'These are no CA certificates that can vouch for factory certificates.',
    retry: 'changed',
  },
  'provisioning.manufacturer_conflict': {
    status: 409,
    title: 'The CA vouches for another manufacturer.',
    retry: 'changed',
  },
  'provisioning.manufacturer_not_found': { status: 404, title: 'There is no such manufacturer.', retry: 'never' },
  'provisioning.manufacturer_in_use': {
    status: 409,
    title: 'Devices of this manufacturer are in service.',
    retry: 'changed',
  },
  'provisioning.enrolment_not_found': {
    status: 404,
    title: 'No such enrolment waits for an operator.',
    retry: 'never',
  },
  'provisioning.enrolment_conflict': { status: 409, title: 'The enrolment was decided or is over.', retry: 'never' },
} as const satisfies CodeTable;
