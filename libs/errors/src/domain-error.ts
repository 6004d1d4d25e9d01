/** The one error class of the suite: a stable code, a detail for people, and what the caller may do next. */
import { CODES, type ErrorCode } from './codes.js';

export interface DomainErrorOptions {
  /** What went wrong underneath; always passed on when there is one. */
  readonly cause?: unknown;
  /** A sentence for the caller. Never holds a secret, nor more of the input than is needed to find it. */
  readonly detail?: string;
  /** Seconds, for `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Extra members of the problem document (RFC 9457 §3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** An expected failure. Anything else that is thrown is a bug: 500 with a trace id and nothing more. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly detail: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    readonly code: ErrorCode,
    options: DomainErrorOptions = {},
  ) {
    const title = CODES[code].title;
    super(options.detail ? `${code}: ${options.detail}` : `${code}: ${title}`, { cause: options.cause });
    this.detail = options.detail;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.members = options.members ?? {};
  }

  get status(): number {
    return CODES[this.code].status;
  }

  get title(): string {
    return CODES[this.code].title;
  }

  get retry(): 'never' | 'later' | 'changed' {
    return CODES[this.code].retry;
  }
}

/** True for a code of the table; what arrives over NATS is checked with it before it is believed. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(CODES, code);
}
