import { expect, test } from '@jest/globals';
import { assuranceOf } from './assurance.js';

const RULE = { mfaAcr: ['urn:idp:two'], mfaAmr: ['mfa', 'hwk'] };

test.each<[string, object, boolean, string[]]>([
  ['says nothing', {}, false, []],
  ['names its context for two factors', { acr: 'urn:idp:two' }, true, ['mfa']],
  ['names another context', { acr: 'urn:idp:one', amr: ['pwd'] }, false, ['pwd']],
  ['names a method that stands for two', { amr: ['pwd', 'hwk'] }, true, ['pwd', 'hwk', 'mfa']],
  ['says mfa, where that stands for two', { amr: ['mfa'] }, true, ['mfa']],
  ['sends rubbish', { acr: 7, amr: [7, 'A b', 'pwd'] }, false, ['pwd']],
  ['sends a string for a list', { amr: 'mfa' }, false, []],
])('a provider that %s', (_name, facts, mfa, amr) => {
  expect(assuranceOf(facts, RULE)).toEqual({ mfa, amr, authTime: undefined });
});

test('mfa means nothing where the rule does not take it', () => {
  expect(assuranceOf({ amr: ['mfa'], auth_time: 7.9 }, { mfaAcr: [], mfaAmr: [] })).toEqual({
    mfa: false,
    amr: [],
    authTime: 7,
  });
});
