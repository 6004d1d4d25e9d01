import { expect, it } from '@jest/globals';
import { judgeRoutes } from '@outrider/platform/admission';
import { describeService, routesOfModule } from '@outrider/platform/openapi';
import { definition } from './gateway.module.js';

it('names for every route whom it admits, and for every operator route a scope that there is', () => {
  const { faults, operatorRoutes } = judgeRoutes(definition.module);
  expect(faults).toEqual([]);
  expect(operatorRoutes).toBeGreaterThan(0);
});

it('describes every route, or the document cannot be made', () => {
  const document = describeService('gateway', routesOfModule(definition.module), 'test');
  expect(Object.keys(document.paths).length).toBeGreaterThan(5);
});
