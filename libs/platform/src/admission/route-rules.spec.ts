import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { On } from '../http/on.provider.js';
import { AdmitAnyone, AdmitToken, RequireOperator } from './decorators.provider.js';
import { judgeRoutes, RouteRules } from './route-rules.service.js';

@Controller()
class GoodController {
  @Get('/good')
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write'] })
  good(): void {}

  @Get('/operator')
  @On('operator')
  @RequireOperator('device:read')
  operator(): void {}

  helper(): void {}
}

@Controller()
class BadController {
  @Get('/unmarked')
  @On('vehicle')
  unmarked(): void {}

  @Post('/nowhere')
  @AdmitAnyone()
  nowhere(): void {}

  @Get('/misplaced')
  @On('vehicle')
  @RequireOperator('device:read')
  misplaced(): void {}

  @Get('/misspelt')
  @On('operator')
  @RequireOperator('device:raed' as never)
  misspelt(): void {}

  @Get('/open')
  @On('http')
  @AdmitAnyone()
  open(): void {}
}

@Module({ imports: [DiscoveryModule], controllers: [GoodController], providers: [RouteRules] })
class GoodModule {}
@Module({ imports: [DiscoveryModule], controllers: [GoodController, BadController], providers: [RouteRules] })
class BadModule {}

function start(module: new () => object) {
  return NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
}

describe('the rules of the routes', () => {
  it('let a service start whose routes all say whom they admit', async () => {
    await (await start(GoodModule)).close();
  });

  it('are judged without starting, through imported modules', () => {
    @Module({ imports: [GoodModule, { module: BadModule }] })
    class Whole {}
    expect(judgeRoutes(GoodModule)).toEqual({ faults: [], operatorRoutes: 1 });
    const { faults, operatorRoutes } = judgeRoutes(Whole);
    expect([faults.length, operatorRoutes]).toEqual([4, 3]);
  });

  it('stop the start otherwise, naming each route', async () => {
    const { message } = await start(BadModule).then(
      () => new Error('it started'),
      (error: Error) => error,
    );
    expect(message.split('\n').slice(1)).toEqual([
      'BadController.unmarked (GET /unmarked): says not whom it admits',
      'BadController.nowhere (POST /nowhere): on no listener (@On)',
      'BadController.misplaced (GET /misplaced): operator does not fit the vehicle listener',
      'BadController.misspelt (GET /misspelt): device:raed is no operator scope',
    ]);
  });
});
