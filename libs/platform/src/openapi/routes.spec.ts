import { expect, it } from '@jest/globals';
import { Controller, Get, Post } from '@nestjs/common';
import { z } from 'zod';
import { AdmitAnyone, RequireOperator } from '../admission/decorators.provider.js';
import { JsonBody, PathParam, QueryParams } from '../http/body.provider.js';
import { On } from '../http/on.provider.js';
import { Describe } from './describe.provider.js';
import { routesOf } from './routes.provider.js';

const Name = z.string().max(8);

@Controller('v1/things')
class ThingsController {
  @Describe({ summary: 'A thing.', answers: { 200: z.strictObject({ name: z.string() }) } })
  @Get([':name', 'of/:label/:name'])
  @On('operator')
  @RequireOperator('device:read')
  show(@PathParam('name', Name) name: string, @QueryParams(z.strictObject({ all: z.string() })) _query: object) {
    return { name };
  }

  @Describe({ summary: 'Makes one.', answers: { 201: z.strictObject({ at: z.iso.datetime() }) } })
  @Post()
  @On('operator')
  @AdmitAnyone()
  make(@JsonBody(z.strictObject({ name: Name })) _body: object) {
    return { at: new Date() };
  }
}

@Controller()
class SilentController {
  @Get('/silent')
  @On('operator')
  @AdmitAnyone()
  show() {
    return {};
  }
}

it('reads routes off their decorators, one for each path', () => {
  expect(routesOf([ThingsController])).toMatchObject([
    {
      name: 'things.show',
      method: 'GET',
      path: '/v1/things/:name',
      listener: 'operator',
      rule: { kind: 'operator', scope: 'device:read' },
      inputs: [{ in: 'query' }, { in: 'path', name: 'name', schema: Name }],
    },
    { name: 'things.show2', path: '/v1/things/of/:label/:name' },
    { name: 'things.make', method: 'POST', path: '/v1/things', inputs: [{ in: 'body', types: ['application/json'] }] },
  ]);
});

it('refuses a route without a description, by name', () => {
  expect(() => routesOf([ThingsController, SilentController])).toThrow('SilentController.show');
});

it('has the compiler hold answers against their schemas', () => {
  class Wrong {
    // @ts-expect-error: a number where the schema has text
    @Describe({ summary: 'Wrong.', answers: { 200: z.strictObject({ name: z.string() }) } })
    show() {
      return { name: 1 };
    }
  }
  expect(Wrong).toBeDefined();
});
