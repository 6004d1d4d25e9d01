/** What the services' own description says of a call: the compiler holds each path, query and body of the command line against it. */
import type { paths } from '@outrider/operator-api';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** As it is written where it is called: `/v1/devices/${string}` of `/v1/devices/{id}`. */
type Written<Template extends string> = Template extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${string}${Written<After>}`
  : Template;

type Templates<M extends Method> = {
  [T in keyof paths & string]: paths[T] extends { [m in Lowercase<M>]: object } ? T : never;
}[keyof paths & string];

/** The paths that take this method. */
export type Path<M extends Method> = Written<Templates<M>>;

type TemplateOf<M extends Method, P extends string> = P extends string
  ? { [T in Templates<M>]: [Written<T>, P] extends [P, Written<T>] ? T : never }[Templates<M>]
  : never;

/** What is described for a path as it is written. */
type Operation<M extends Method, P extends string> =
  TemplateOf<M, P> extends infer T extends keyof paths
    ? paths[T] extends { [m in Lowercase<M>]: infer O }
      ? O
      : never
    : never;

/** Names are held, words and numbers are not: what somebody typed is for the service to judge. What is undefined is not sent. */
type Said<T> = unknown extends T
  ? unknown
  : T extends string
    ? string
    : T extends number
      ? number | string
      : T extends boolean
        ? boolean
        : T extends readonly (infer U)[]
          ? readonly Said<U>[]
          : T extends object
            ? { readonly [K in keyof T]: Said<T[K]> | (undefined extends T[K] ? undefined : OptionalIn<T, K>) }
            : T;
type OptionalIn<T, K extends keyof T> = T extends Record<K, T[K]> ? never : undefined;

export type Query<M extends Method, P extends string> =
  Operation<M, P> extends { parameters: { query?: infer Q } } ? Said<NonNullable<Q>> : never;

export type Body<M extends Method, P extends string> =
  Operation<M, P> extends { requestBody?: infer R }
    ? NonNullable<R> extends { content: { 'application/json': infer B } }
      ? Said<B> | undefined
      : undefined
    : undefined;
