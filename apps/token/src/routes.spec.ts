import { expect, it } from '@jest/globals';
import { judgeRoutes } from '@outrider/platform/admission';
import { definition } from './token.module.js';

it('names for every route whom it admits, and for every operator route a scope that there is', () => {
  const { faults, operatorRoutes } = judgeRoutes(definition.module);
  expect(faults).toEqual([]);
  expect(operatorRoutes).toBeGreaterThan(0);
});
