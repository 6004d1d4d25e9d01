import { expect, it } from '@jest/globals';
import { judgeRoutes } from '@outrider/platform/admission';
import { CommandModule } from './command.module.js';

it('names for every route whom it admits, and for every operator route a scope that there is', () => {
  const { faults, operatorRoutes } = judgeRoutes(CommandModule);
  expect(faults).toEqual([]);
  expect(operatorRoutes).toBeGreaterThan(0);
});
