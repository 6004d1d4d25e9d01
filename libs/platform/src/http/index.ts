export { bodyBytes, JsonBody, mediaType, PathParam, parseJsonBody, QueryParams, summary } from './body.provider.js';
export { Listeners, listenerOf, MAX_BODY_BYTES, peerOf, type TlsFailure } from './listeners.service.js';
export { LISTENER, type ListenerName, On } from './on.provider.js';
export type { Peer } from './peer.js';
export { type Problem, ProblemFilter, sendProblem, toDomainError } from './problem.filter.js';
