export { bodyBytes, JsonBody, mediaType, PathParam, parseJsonBody, QueryParams, summary } from './body.provider.js';
export { type ChannelBinding, channelBindingOf } from './channel-binding.provider.js';
export { closeGently } from './close-gently.provider.js';
export { ConnectionLimiter } from './connection-limits.service.js';
export { documentTag, type IfMatch, parseIfMatch, requireMatch, versionTag } from './entity-tag.js';
export { ErrorShapes, type SendError } from './error-shapes.service.js';
export { keyedId, requireSameRequest } from './keyed-id.js';
export {
  Listeners,
  listenerOf,
  MAX_BODY_BYTES,
  peerOf,
  setPeerBehind,
  type TlsFailure,
} from './listeners.service.js';
export { LISTENER, type ListenerName, On } from './on.provider.js';
export type { Peer } from './peer.js';
export { isTrustedProxy, peerOfSocket, type TrustedProxies } from './peer.provider.js';
export { type Problem, ProblemFilter, toDomainError } from './problem.filter.js';
export { noteError } from './request-metrics.service.js';
export { Staples } from './staples.service.js';
export { accepted, failureOf, ndjson, StreamedAnswer, sse } from './streamed-answer.provider.js';
export { openBody, StreamedBody, type StreamLimits } from './streamed-body.provider.js';
export { CONTEXT_OPTIONS } from './tls-options.js';
