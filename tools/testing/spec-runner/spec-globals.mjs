/** `@jest/globals` for one spec file and its fixtures: what the framework made for it. */
export const { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } =
  globalThis[Symbol.for('outrider.spec-globals')];

export const jest = {
  /** The time that each case and hook of this file has. To be said before they are declared. */
  setTimeout: (ms) => Reflect.set(globalThis, Symbol.for('TEST_TIMEOUT_SYMBOL'), ms),
};
