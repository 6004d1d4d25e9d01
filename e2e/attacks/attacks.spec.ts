import { describe, expect } from '@jest/globals';
import { itWith } from '../harness/installed.js';
import { ATTACKS } from './list.js';

const test = itWith(['curl', 'openssl']);

describe('attacks that must fail', () => {
  for (const { row, attacker, expected, run } of ATTACKS) {
    test(`${row}: who ${attacker} sees: ${expected}`, async () => {
      const { held, seen } = await run();
      expect(held ? 'held' : seen).toBe('held');
    });
  }
});
