import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { protectedResourceMetadata, vehicleAudience, withResourceMetadata } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { ADMISSION, type AdmissionRule } from './decorators.provider.js';

/** This service as a protected resource: its metadata, by the token routes that it has. A service without any is none. */
@Injectable()
export class ResourceMetadata implements OnModuleInit {
  private scopes: readonly string[] = [];

  constructor(
    @Inject(RUNTIME) private readonly runtime: Runtime,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    this.scopes = this.discovery.getControllers().flatMap(({ instance }) => {
      if (!instance) return [];
      const prototype = Object.getPrototypeOf(instance) as Record<string, object>;
      return this.scanner.getAllMethodNames(prototype).flatMap((name) => {
        const rule = Reflect.getMetadata(ADMISSION, prototype[name] as object) as AdmissionRule | undefined;
        return rule?.kind === 'token' ? rule.scopes : [];
      });
    });
  }

  /** @throws DomainError `request.not_found` where no vehicle's token is taken. */
  metadata() {
    const { config, service } = this.runtime;
    const resource = this.resource();
    if (resource === undefined) throw new DomainError('request.not_found');
    const takesDpop = config.listeners.vehicle?.dpop !== undefined;
    const described = { resource, tokenIssuer: config.tokenIssuer, scopes: this.scopes, takesDpop };
    return protectedResourceMetadata(described, vehicleAudience(service));
  }

  /** A vehicle listener's challenges, with the place of the metadata; unchanged where there is none. */
  pointTo(challenges: string): string {
    const resource = this.resource();
    return resource === undefined ? challenges : withResourceMetadata(challenges, resource);
  }

  /** Never from the request's Host, which the caller writes. */
  private resource(): string | undefined {
    const listener = this.runtime.config.listeners.vehicle;
    if (!listener || this.scopes.length === 0) return undefined;
    return listener.publicUrl ?? listener.dpop?.publicUrls[0] ?? `https://${listener.host}:${listener.port}`;
  }
}
