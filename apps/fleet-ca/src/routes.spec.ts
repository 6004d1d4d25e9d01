import { expect, it } from '@jest/globals';
import { judgeRoutes } from '@outrider/platform/admission';
import { FleetCaModule } from './fleet-ca.module.js';

it('names for every route whom it admits, and for every operator route a scope that there is', () => {
  const { faults } = judgeRoutes(FleetCaModule);
  expect(faults).toEqual([]);
});
