/** Every attack, in the order of their rows. */
import { replayedMessages } from './01-replayed-messages.js';
import { reusedNumber } from './02-reused-number.js';
import { forgedFuture, jump } from './03-far-future-numbers.js';
import { impossibleNumbers } from './05-impossible-numbers.js';
import { wrongTime } from './06-wrong-time.js';
import { tamperedLogs } from './07-tampered-logs.js';
import { anotherVehiclesName } from './08-another-vehicles-name.js';
import { stolenToken, tokenWithoutCertificate } from './09-stolen-token.js';
import { anotherClient, greedyScopes } from './11-greedy-token-requests.js';
import { forgedTokens } from './13-forged-tokens.js';
import { afterRevocation } from './14-after-revocation.js';
import { resumedSession } from './15-resumed-session.js';
import { commandsOutOfTime } from './16-commands-out-of-time.js';
import { commandsToTheVehicle } from './16-commands-to-the-vehicle.js';
import { floodedVehicle } from './16-flooded-vehicle.js';
import { forgedOutcomes } from './16-forged-outcomes.js';
import { reusedIdempotencyKey, sameRequestManyTimes } from './17-idempotency-keys.js';
import { uninvitedEnrolment } from './19-uninvited-enrolment.js';
import { poisonedRequests } from './20-poisoned-requests.js';
import { uninvitedRenewal } from './21-uninvited-renewal.js';
import { forwardedCertificates } from './22-forwarded-certificates.js';
import { hostileBodies } from './23-hostile-bodies.js';
import { slowConnections } from './24-slow-connections.js';
import { operatorApis } from './25-operator-apis.js';
import { editedEvidence } from './26-stored-evidence.js';
import { anotherServicesSubjects } from './27-another-services-subjects.js';
import type { Attack } from './attack.js';

export const ATTACKS: readonly Attack[] = [
  replayedMessages,
  reusedNumber,
  forgedFuture,
  jump,
  impossibleNumbers,
  wrongTime,
  tamperedLogs,
  anotherVehiclesName,
  stolenToken,
  tokenWithoutCertificate,
  anotherClient,
  greedyScopes,
  forgedTokens,
  afterRevocation,
  resumedSession,
  commandsToTheVehicle,
  commandsOutOfTime,
  forgedOutcomes,
  floodedVehicle,
  sameRequestManyTimes,
  reusedIdempotencyKey,
  uninvitedEnrolment,
  poisonedRequests,
  uninvitedRenewal,
  forwardedCertificates,
  hostileBodies,
  slowConnections,
  operatorApis,
  editedEvidence,
  anotherServicesSubjects,
];
