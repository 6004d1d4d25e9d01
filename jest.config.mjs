/** Jest runs what tsc built (one compiler, one truth); `*.db.spec.js` need the PostgreSQL and NATS that tools/test starts. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/libs', '<rootDir>/apps', '<rootDir>/bench'],
  testMatch: ['**/dist/**/*.spec.js'],
  modulePathIgnorePatterns: ['<rootDir>/.outrider', '<rootDir>/.nx'],
  haste: { enableSymlinks: false },
  runner: '<rootDir>/tools/testing/spec-runner/runner.mjs',
  transform: {},
  testTimeout: 30_000,
};
