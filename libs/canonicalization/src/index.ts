export { jcsOfSlice, type KeyOrder, signedForms, tokenPreservingCanonical } from './canonical-forms.js';
export { canonicalize, MAX_DEPTH } from './canonicalize.js';
export type { JsonKind, JsonMember, JsonNode } from './json-node.js';
export { type ScanLimits, type ScannedJson, scanJson } from './scan-json.js';
