import { createRequire } from 'node:module';
import { expect, it } from '@jest/globals';

it("the viewer's package brings nothing that reports who installs it", () => {
  const here = createRequire(import.meta.url);
  const { dependencies } = here('swagger-ui-dist/package.json') as { dependencies: Record<string, string> };
  expect(Object.keys(dependencies)).toEqual(['@scarf/scarf']);
  const there = createRequire(here.resolve('swagger-ui-dist/package.json'));
  for (const from of [here, there])
    expect(() => from.resolve('@scarf/scarf')).toThrow(expect.objectContaining({ code: 'MODULE_NOT_FOUND' }));
});
