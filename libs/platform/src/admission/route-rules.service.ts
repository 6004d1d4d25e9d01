import { Injectable, type OnModuleInit, RequestMethod } from '@nestjs/common';
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
    const faults = this.discovery.getControllers().flatMap(({ instance, metatype }) => {
      if (!instance || !metatype) return [];
      const prototype = Object.getPrototypeOf(instance) as Record<string, object>;
      return this.scanner
        .getAllMethodNames(prototype)
        .flatMap((name) => fault(prototype[name], `${metatype.name}.${name}`));
    });
    if (faults.length > 0) throw new Error(`routes that admission cannot judge:\n${faults.join('\n')}`);
  }
}

function fault(handler: object | undefined, name: string): string[] {
  if (!handler || Reflect.getMetadata(PATH_METADATA, handler) === undefined) return [];
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number];
  const route = `${name} (${method} ${String(Reflect.getMetadata(PATH_METADATA, handler))})`;
  const listener = Reflect.getMetadata(LISTENER, handler) as ListenerName | undefined;
  const rule = Reflect.getMetadata(ADMISSION, handler) as AdmissionRule | undefined;
  if (!listener) return [`${route}: on no listener (@On)`];
  if (!rule) return [`${route}: says not whom it admits`];
  if (!FITS[listener].includes(rule.kind)) return [`${route}: ${rule.kind} does not fit the ${listener} listener`];
  if (rule.kind === 'operator' && !isOperatorScope(rule.scope)) return [`${route}: ${rule.scope} is no operator scope`];
  return [];
}
