export { canonicalDigest, RecordPayload } from './canonical-record.js';
export {
  AuthorityLine,
  BATCHES_KEPT,
  BatchLine,
  CertificateLine,
  DeliveryLine,
  ExportHead,
  ExportLine,
  encodeRaw,
  Manifest,
  ManifestLine,
  RecordLine,
  SegmentLine,
} from './export-line.js';
export { type ExportFault, type ExportReport, ExportVerifier } from './export-verifier.js';
export { type KeyFound, type LogFault, LogFollower, type LogRecord } from './log-follower.js';
export type { EvidenceDelivery, EvidenceSegment } from './log-segment.js';
export { Receipt, type ReceiptResult, type ReceiptVerdict, verifyReceipt } from './receipt.js';
export {
  type EvidenceBatch,
  type EvidenceRecord,
  isBatchFormat,
  isText,
  payloadOf,
  type RecordFormat,
} from './record.js';
export { type SigningTrust, signingKey } from './signing-certificate.js';
export { type RecordFault, type RecordVerdict, verifyRecord } from './verify-record.js';
