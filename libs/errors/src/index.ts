export type { CodeEntry } from './code-entry.js';
export { CODES, type ErrorCode } from './codes.js';
export { DomainError, type DomainErrorOptions, isErrorCode } from './domain-error.js';
