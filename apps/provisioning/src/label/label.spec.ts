import { describe, expect, it, test } from '@jest/globals';
import { ManufacturerName } from '../manufacturer/manufacturer.js';
import { labelPolicy } from './label.fixture.js';
import { admits, defaultLabel, EST_OPERATIONS, findLabel, LabelName, LabelPolicy, Labels } from './label.js';

const labels = Labels.parse({ default: labelPolicy(), trucks: labelPolicy({ lifetimeSeconds: 600 }) });

describe('a label’s name', () => {
  test.each(['default', 'a', '0', 'trucks-eu', 'a'.repeat(32)])('%s is one', (name) => {
    expect(LabelName.safeParse(name).success).toBe(true);
  });
  test.each(['', 'A', '-a', 'a_b', 'a/b', 'a'.repeat(33), ...EST_OPERATIONS])('%p is none', (name) => {
    expect(LabelName.safeParse(name).success).toBe(false);
  });
});

describe('the labels of a configuration', () => {
  it('must hold the default', () => {
    expect(Labels.safeParse({ trucks: labelPolicy() }).success).toBe(false);
  });

  test.each<[string, object]>([
    ['an unknown key', { colour: 'red' }],
    ['a window that ends before it begins', { renewal: { windowStart: 0.8, windowEnd: 0.5 } }],
    ['no key type', { keyAlgorithms: [] }],
    ['RSA', { keyAlgorithms: ['RSA'] }],
    ['a negative grace', { expiredGraceSeconds: -1 }],
  ])('take no %s', (_what, parts) => {
    expect(LabelPolicy.safeParse({ ...labelPolicy(), ...parts }).success).toBe(false);
  });

  it('are found by the path', () => {
    expect(findLabel(labels, 'trucks')?.policy.lifetimeSeconds).toBe(600);
    expect(findLabel(labels, undefined)).toEqual(defaultLabel(labels));
    expect(defaultLabel(labels).name).toBe('default');
  });

  test.each(['cars', 'constructor', '__proto__', 'toString', ''])('hold no %p unless they say so', (name) => {
    expect(findLabel(labels, name)).toBeUndefined();
  });
});

describe('whom a label admits', () => {
  const demo = [ManufacturerName.parse('demo-motors')];
  test.each<[string, Partial<LabelPolicy>, string, string[], boolean]>([
    ['anyone where it names nobody', {}, 'demo-motors', [], true],
    ['its manufacturer', { manufacturers: demo }, 'demo-motors', [], true],
    ['no other manufacturer', { manufacturers: demo }, 'other-motors', [], false],
    ['a device that carries one of its labels', { deviceLabels: ['truck', 'bus'] }, 'demo-motors', ['eu', 'bus'], true],
    ['no device without', { deviceLabels: ['truck'] }, 'demo-motors', ['eu'], false],
    ['nobody for half of it', { manufacturers: demo, deviceLabels: ['truck'] }, 'other-motors', ['truck'], false],
  ])('%s', (_what, parts, manufacturer, carried, expected) => {
    expect(admits(labelPolicy(parts), manufacturer, carried)).toBe(expected);
  });
});
