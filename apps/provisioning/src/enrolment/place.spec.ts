import { expect, it } from '@jest/globals';
import { newcomerOf } from '../bootstrap/newcomer.js';
import { takenName } from './place.js';

const newcomer = (manufacturer: string, serialNumber: string) => {
  const found = newcomerOf({ bootstrap: 'approve' }, [{ manufacturer, serialNumber }]);
  if (!found) throw new Error('no newcomer');
  return found;
};

it('of two newcomers whose identities lead to one name only the first has it', () => {
  const [first, second] = [newcomer('demo-motors', '1'), newcomer('demo', 'motors-1')];
  expect(second.deviceId).toBe(first.deviceId);
  expect(takenName(first, undefined)).toBeUndefined();
  expect(takenName(newcomer('demo-motors', '1'), first)).toBe(first);
  expect(() => takenName(second, first)).toThrow(expect.objectContaining({ code: 'est.device_unknown' }));
});
