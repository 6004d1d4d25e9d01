/** The list of every contract: NATS permissions, the docs table and the consumer tests come from it. */
import * as ca from './ca.js';
import * as command from './command.js';
import type { Contract } from './contract.js';
import * as gateway from './gateway.js';
import * as provisioning from './provisioning.js';
import * as revocation from './revocation.js';
import { SERVICE_CERTIFICATE_RENEWALS } from './service-certificate.js';
import * as telemetry from './telemetry.js';
import * as token from './token.js';

export const CONTRACTS: readonly Contract[] = [
  ca.certificatesSign,
  ca.certificateGet,
  ca.authorityList,
  ca.crlSign,
  ca.crlDraftRead,
  ca.certificateIssued,
  ...SERVICE_CERTIFICATE_RENEWALS,
  provisioning.deviceChanged,
  provisioning.deviceGet,
  provisioning.deviceDenied,
  provisioning.deviceRecovered,
  provisioning.targetsList,
  provisioning.certificateEnrolled,
  provisioning.certificateSuperseded,
  provisioning.vehicleCertificateGet,
  provisioning.findingRaised,
  token.jwksGet,
  token.jwksChanged,
  token.certificateSeen,
  token.operatorsGet,
  telemetry.messageAccepted,
  telemetry.recordBackfilled,
  telemetry.telemetryFindingRaised,
  command.deliveryOffered,
  command.streamRenewed,
  command.commandChanged,
  revocation.certificateRevoked,
  revocation.certificateBatchRevoked,
  revocation.certificateBatchReleased,
  revocation.deviceRevoked,
  revocation.certificateReleased,
  revocation.deviceReleased,
  revocation.denylistAdd,
  revocation.denylistRemove,
  revocation.denylistEnforced,
  revocation.stapleGet,
  gateway.blockChanged,
  gateway.deviceContextGet,
  gateway.decisionLogged,
  ...gateway.DECISIONS_MADE,
  ...gateway.POLICIES_DECIDED,
];
