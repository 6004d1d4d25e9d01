import 'reflect-metadata';
import type { z } from 'zod';
import type { Answers, ReturnedBy, RouteDescription } from './description.js';

const DESCRIPTION = Symbol('outrider:description');
const DIRECT = Symbol('outrider:direct');
const INPUTS = Symbol('outrider:inputs');

/** What a parameter decorator reads from a request, and by which schema. */
export interface Input {
  readonly in: 'body' | 'query' | 'path';
  /** Of a path parameter. */
  readonly name?: string;
  readonly schema: z.ZodType;
  readonly types?: readonly string[];
}

/** What may come back, at once or later. */
type Handler<R> = (...args: never[]) => R | Promise<R>;

/** Describes a route for OpenAPI. The compiler holds what the handler returns against the schemas of its answers. */
export function Describe<const A extends Answers>(description: RouteDescription<A>) {
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that sends its answer itself returns nothing
  return <T extends Handler<ReturnedBy<A> | void>>(
    _target: object,
    _key: string | symbol,
    { value }: TypedPropertyDescriptor<T>,
  ): void => {
    Reflect.defineMetadata(DESCRIPTION, description, value as object);
  };
}

export function descriptionOf(handler: object): RouteDescription | undefined {
  return Reflect.getMetadata(DESCRIPTION, handler) as RouteDescription | undefined;
}

/** Of parameter decorators: notes what they read. */
export function noteInput(target: object, key: string | symbol | undefined, input: Input): void {
  if (key === undefined) return;
  const noted = (Reflect.getOwnMetadata(INPUTS, target, key) ?? []) as Input[];
  Reflect.defineMetadata(INPUTS, [...noted, input], target, key);
}

export function inputsOf(prototype: object, key: string): readonly Input[] {
  return (Reflect.getMetadata(INPUTS, prototype, key) ?? []) as Input[];
}

/** Routes that are answered past the router: a description each, with method and path. Stands on any controller of the service. */
export function DescribeDirect(routes: readonly DirectRoute[]): ClassDecorator {
  return (target) => Reflect.defineMetadata(DIRECT, routes, target);
}

/** On plain HTTP, for anyone. */
export interface DirectRoute {
  readonly method: string;
  readonly path: string;
  readonly description: RouteDescription;
}

export function directRoutesOf(controller: object): readonly DirectRoute[] {
  return (Reflect.getMetadata(DIRECT, controller) ?? []) as DirectRoute[];
}
