import { expect, test } from '@jest/globals';
import { ACR, meetsStepUp } from './operator-authentication.js';

const NOW = 1_800_000_000;

test.each([
  ['nothing asked', ACR.service, 0, {}, true],
  ['the context asked for', ACR.mfa, NOW, { acr: ACR.mfa }, true],
  ['a lesser context', ACR.password, NOW, { acr: ACR.mfa }, false],
  ["a service's context", ACR.service, NOW, { acr: ACR.mfa }, false],
  ['one of our own making', 'urn:outrider:acr:mfa2', NOW, { acr: ACR.mfa }, false],
  ['as old as may be', ACR.mfa, NOW - 300, { acr: ACR.mfa, maxAgeSeconds: 300 }, true],
  ['a second older', ACR.mfa, NOW - 301, { acr: ACR.mfa, maxAgeSeconds: 300 }, false],
  ['fresh, of a lesser context', ACR.password, NOW, { acr: ACR.mfa, maxAgeSeconds: 300 }, false],
  ['age alone', ACR.service, NOW - 10, { maxAgeSeconds: 9 }, false],
  ['right now, with no age allowed', ACR.mfa, NOW, { maxAgeSeconds: 0 }, true],
])('%s', (_name, acr, auth_time, stepUp, met) => {
  expect(meetsStepUp({ acr, auth_time }, stepUp, NOW * 1000)).toBe(met);
});
