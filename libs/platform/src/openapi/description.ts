/** What a route says of itself for the service's OpenAPI document, beside what its other decorators say already. */
import type { ErrorCode } from '@outrider/errors';
import type { z } from 'zod';

/** Headers of answers, by what they are for. `RateLimit` stands for `RateLimit-Policy` too. */
export type AnswerHeader = 'ETag' | 'Retry-After' | 'RateLimit' | 'DPoP-Nonce' | 'Location' | 'Cache-Control';
export type RequestHeader =
  | 'If-Match'
  | 'If-Match!'
  | 'If-None-Match'
  | 'Idempotency-Key!'
  | 'Idempotency-Key'
  | 'Last-Event-ID'
  | 'DPoP';

export interface AnswerDescription<S extends z.ZodType = z.ZodType> {
  readonly description?: string;
  /** Of the body; of a line or of an event's data where `types` says that there are many. */
  readonly schema?: S;
  /** Media types; default `application/json`. */
  readonly types?: readonly string[];
  readonly headers?: readonly AnswerHeader[];
}

/** `null`: no body. */
export type Answer = z.ZodType | AnswerDescription | null;
export type Answers = Readonly<Record<number, Answer>>;

export interface BodyDescription {
  readonly schema?: z.ZodType;
  readonly types: readonly string[];
  /** Nothing may be sent instead. */
  readonly optional?: boolean;
}

export interface RouteDescription<A extends Answers = Answers> {
  /** One sentence. */
  readonly summary: string;
  readonly description?: string;
  readonly answers: A;
  /** What it may refuse with, besides what every route of its kind may (admission, shape, the service's own state). */
  readonly problems?: readonly ErrorCode[];
  /** How refusals look: a problem document (default), OAuth's JSON (RFC 6749 §5.2), EST's text. */
  readonly refusals?: 'problem' | 'oauth' | 'text';
  /** Of a route that reads its body itself; of the others `JsonBody` tells. */
  readonly body?: BodyDescription;
  /** Of parameters that no decorator tells of. */
  readonly path?: Readonly<Record<string, z.ZodType>>;
  readonly query?: z.ZodType;
  /** `!`: must be sent. */
  readonly headers?: readonly RequestHeader[];
}

/** What a handler may return for a schema: dates become text on the way out. */
type Sent<T> = unknown extends T
  ? unknown
  : T extends string
    ? string extends T
      ? string | Date
      : T
    : T extends readonly unknown[]
      ? { readonly [K in keyof T]: Sent<T[K]> }
      : T extends object
        ? [NamedKeys<T>] extends [never]
          ? { readonly [K in keyof T]: Sent<T[K]> }
          : { readonly [K in keyof T as string extends K ? never : K]: Sent<T[K]> }
        : T;

/** Of an object that may have others too. */
type NamedKeys<T> = keyof { [K in keyof T as string extends K ? never : K]: true };

type Returned<A> = A extends z.ZodType
  ? Sent<z.input<A>>
  : A extends { readonly types: readonly string[] }
    ? unknown
    : A extends { readonly schema: infer S extends z.ZodType }
      ? Sent<z.input<S>>
      : never;

/** What the handler of a route with these answers may return; nothing, where it sends the answer itself. */
export type ReturnedBy<A extends Answers> = Returned<A[keyof A]> | undefined;
