import { Controller, Get, Header, Inject, type Type } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { z } from 'zod';
import { AdmitAnyone } from '../admission/decorators.provider.js';
import { Listeners } from '../http/listeners.service.js';
import { On } from '../http/on.provider.js';
import { servedRoutes } from '../http/served-routes.provider.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { Describe } from './describe.provider.js';
import { describeService } from './document.js';
import { routesOf } from './routes.provider.js';
import { VERSION } from './version.js';

/** What this service offers. No secret: who may ask what is decided elsewhere. */
@Controller()
export class OpenApiController {
  private document: object | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly adapterHost: HttpAdapterHost,
    private readonly listeners: Listeners,
    @Inject(RUNTIME) private readonly runtime: Runtime,
  ) {}

  @Describe({
    summary: 'This document: every route of this service.',
    description:
      '`x-outrider-served` is what the router has, by listener, method and path: a document that leaves one out is wrong.',
    answers: { 200: { schema: z.looseObject({ openapi: z.string() }), headers: ['Cache-Control'] } },
  })
  @Get('/openapi.json')
  @On('operator')
  @AdmitAnyone()
  @Header('cache-control', 'no-cache')
  show() {
    this.document ??= this.describe();
    return this.document as { openapi: string };
  }

  private describe(): object {
    const controllers = this.discovery.getControllers().flatMap(({ metatype }) => (metatype ? [metatype as Type] : []));
    const document = describeService(this.runtime.service, routesOf(controllers), VERSION);
    const routed = servedRoutes(this.adapterHost.httpAdapter.getInstance<object>());
    const direct = this.listeners.directPaths.map((path) => `http ANY ${path}`);
    return { ...document, 'x-outrider-served': [...routed, ...direct] };
  }
}
