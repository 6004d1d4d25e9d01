import { type DynamicModule, Injectable, type OnModuleInit, RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { isOperatorScope } from '@outrider/admission';
import { LISTENER, type ListenerName } from '../http/on.provider.js';
import { ADMISSION, type AdmissionRule } from './decorators.provider.js';

/** Which rule fits which listener: certificates and vehicles' tokens belong to mTLS, operators' to theirs, plain HTTP knows nobody. */
const FITS: Readonly<Record<ListenerName, readonly AdmissionRule['kind'][]>> = {
  vehicle: ['anyone', 'certificate', 'token'],
  operator: ['anyone', 'operator'],
  http: ['anyone'],
};

/** Deny by default, found out before anything opens: a route without a listener, or without a rule that fits it or with a scope that nobody can hold, stops the start. */
@Injectable()
export class RouteRules implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** Throws a plain error that names every such route. */
  onModuleInit(): void {
    const controllers = this.discovery.getControllers().flatMap(({ metatype }) => (metatype ? [metatype as Type] : []));
    const faults = controllers.flatMap((controller) => faultsOf(controller, this.scanner));
    if (faults.length > 0) throw new Error(`routes that admission cannot judge:\n${faults.join('\n')}`);
  }
}

/** What is wrong with the routes of a module and of the modules it imports, and how many routes it has for operators: for a service's own test. */
export function judgeRoutes(module: object): { readonly faults: readonly string[]; readonly operatorRoutes: number } {
  const controllers = [...controllersOf(module)];
  const scanner = new MetadataScanner();
  const rules = controllers.flatMap((controller) =>
    scanner.getAllMethodNames(controller.prototype).map((name) => ruleOf((controller.prototype as Handlers)[name])),
  );
  return {
    faults: controllers.flatMap((controller) => faultsOf(controller, scanner)),
    operatorRoutes: rules.filter((rule) => rule?.kind === 'operator').length,
  };
}

type Handlers = Readonly<Record<string, object | undefined>>;

/** Those of a module and of all that it imports. */
export function controllersOf(module: object, seen = new Set<object>()): Set<Type> {
  const { module: type = module, controllers = [], imports = [] } = module as Partial<DynamicModule>;
  if (seen.has(type)) return new Set();
  seen.add(type);
  const declared = (key: string) => (Reflect.getMetadata(key, type) ?? []) as object[];
  const found = new Set([...controllers, ...(declared('controllers') as Type[])]);
  for (const imported of [...imports, ...declared('imports')])
    for (const controller of controllersOf(imported as object, seen)) found.add(controller);
  return found;
}

function faultsOf(controller: Type, scanner: MetadataScanner): string[] {
  const prototype = controller.prototype as Handlers;
  return scanner.getAllMethodNames(prototype).flatMap((name) => fault(prototype[name], `${controller.name}.${name}`));
}

function ruleOf(handler: object | undefined): AdmissionRule | undefined {
  return handler && (Reflect.getMetadata(ADMISSION, handler) as AdmissionRule | undefined);
}

function fault(handler: object | undefined, name: string): string[] {
  if (!handler || Reflect.getMetadata(PATH_METADATA, handler) === undefined) return [];
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number];
  const route = `${name} (${method} ${String(Reflect.getMetadata(PATH_METADATA, handler))})`;
  const listener = Reflect.getMetadata(LISTENER, handler) as ListenerName | undefined;
  const rule = ruleOf(handler);
  if (!listener) return [`${route}: on no listener (@On)`];
  if (!rule) return [`${route}: says not whom it admits`];
  if (!FITS[listener].includes(rule.kind)) return [`${route}: ${rule.kind} does not fit the ${listener} listener`];
  if (rule.kind === 'operator' && !isOperatorScope(rule.scope)) return [`${route}: ${rule.scope} is no operator scope`];
  return [];
}
