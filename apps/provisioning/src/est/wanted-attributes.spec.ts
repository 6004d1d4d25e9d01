import { expect, test } from '@jest/globals';
import { csrAttributes } from '@outrider/x509';
import { labelPolicy } from '../label/label.fixture.js';
import { wantedAttributes } from './wanted-attributes.js';

test.each([
  ['nothing where every key is taken', {}, undefined],
  ['the one key', { keyAlgorithms: ['P-384'] }, { keyAlgorithm: 'P-384', challengePassword: false }],
  ['the preferred key', { keyAlgorithms: ['Ed25519', 'P-256'] }, { keyAlgorithm: 'Ed25519', challengePassword: false }],
  ['the channel binding', { channelBinding: 'required' }, { challengePassword: true }],
  [
    'both',
    { channelBinding: 'required', keyAlgorithms: ['P-256'] },
    { keyAlgorithm: 'P-256', challengePassword: true },
  ],
] as const)('a label asks for %s', (_what, parts, wanted) => {
  const policy = labelPolicy(parts as Parameters<typeof labelPolicy>[0]);
  expect(wantedAttributes(policy)).toEqual(wanted && csrAttributes(wanted));
});
