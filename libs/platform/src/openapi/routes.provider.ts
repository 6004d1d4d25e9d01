import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';
import { ADMISSION, type AdmissionRule } from '../admission/decorators.provider.js';
import { LISTENER, type ListenerName } from '../http/on.provider.js';
import { descriptionOf, directRoutesOf, inputsOf } from './describe.provider.js';
import type { Route } from './route.js';

/** The routes of controllers, a path each. Throws a plain error that names every route that describes itself to nobody. */
export function routesOf(controllers: readonly Type[]): Route[] {
  const scanner = new MetadataScanner();
  const silent: string[] = [];
  const routes = controllers.flatMap((controller) =>
    scanner.getAllMethodNames(controller.prototype).flatMap((key) => {
      const found = routesAt(controller, key);
      if (found === 'silent') silent.push(`${controller.name}.${key}`);
      return typeof found === 'string' ? [] : found;
    }),
  );
  for (const controller of controllers) routes.push(...direct(controller));
  if (silent.length > 0) throw new Error(`routes without @Describe:\n${silent.join('\n')}`);
  return routes;
}

function routesAt(controller: Type, key: string): Route[] | 'none' | 'silent' {
  const handler = (controller.prototype as Record<string, object | undefined>)[key];
  if (!handler || Reflect.getMetadata(PATH_METADATA, handler) === undefined) return 'none';
  const description = descriptionOf(handler);
  if (!description) return 'silent';
  const prefix = pathsOf(controller)[0] ?? '';
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number] ?? 'GET';
  return pathsOf(handler).map((path, index) => ({
    name: `${nounOf(controller.name)}.${key}${index === 0 ? '' : index + 1}`,
    method,
    path: `/${[prefix, path].join('/')}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1'),
    listener: Reflect.getMetadata(LISTENER, handler) as ListenerName,
    rule: Reflect.getMetadata(ADMISSION, handler) as AdmissionRule,
    inputs: inputsOf(controller.prototype as object, key),
    description,
  }));
}

function pathsOf(target: object): string[] {
  return [Reflect.getMetadata(PATH_METADATA, target) as string | string[] | undefined].flat().map((path) => path ?? '');
}

function direct(controller: Type): Route[] {
  return directRoutesOf(controller).map(({ method, path, description }) => ({
    name: `direct.${method.toLowerCase()}${path.replace(/\W+/g, '_')}`,
    method,
    path,
    listener: 'http',
    rule: { kind: 'anyone' },
    inputs: [],
    description,
  }));
}

/** `deviceSearch` of `DeviceSearchController`. */
function nounOf(controller: string): string {
  const noun = controller.replace(/Controller$/, '');
  return noun.charAt(0).toLowerCase() + noun.slice(1);
}
