export { jcsOfSlice, type KeyOrder, signedForms, tokenPreservingCanonical } from './canonical-forms.js';
export { canonicalize, MAX_DEPTH } from './canonicalize.js';
export { type CborItem, type CborLimits, CborTagged, decodeCbor } from './cbor-decode.js';
export { encodeCbor } from './cbor-encode.js';
export { cborElements, cborMember, cborSequence } from './cbor-items.js';
export {
  COSE_HEADER,
  COSE_SIGN1_TAG,
  type CoseHeaders,
  type CoseSign1,
  coseToBeSigned,
  encodeCoseSign1,
  parseCoseSign1,
} from './cose-sign1.js';
export type { JsonKind, JsonMember, JsonNode } from './json-node.js';
export { type ScanLimits, type ScannedJson, scanJson } from './scan-json.js';
