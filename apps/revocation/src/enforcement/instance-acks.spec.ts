import { beforeEach, describe, expect, it } from '@jest/globals';
import { InstanceId } from '@outrider/ids';
import { InstanceAcks } from './instance-acks.js';

const A = InstanceId.parse('token-0000000a');
const B = InstanceId.parse('token-0000000b');
let acks: InstanceAcks;
beforeEach(() => {
  acks = new InstanceAcks(10_000, 60_000);
});

describe('InstanceAcks', () => {
  it('tells who enforces a sequence since when, and who does not yet', () => {
    acks.leased(A, 0);
    acks.leased(B, 0);
    acks.acknowledged(A, 7, 112.34);
    expect(acks.standing(7, 100, 150)).toEqual({
      enforcedBy: [{ instance: A, ms: 12.3 }],
      pending: [{ instance: B, alive: true }],
    });
    acks.acknowledged(B, 8, 190);
    expect(acks.standing(7, 100, 200).pending).toEqual([]);
    expect(acks.standing(9, 100, 200).enforcedBy).toEqual([]);
  });

  it('counts 0 for what was enforced before, and the first word of it for what is said again', () => {
    acks.acknowledged(A, 7, 50);
    acks.acknowledged(A, 7, 400);
    acks.acknowledged(A, 9, 500);
    expect(acks.standing(7, 100, 600).enforcedBy).toEqual([{ instance: A, ms: 0 }]);
    expect(acks.standing(8, 100, 600).enforcedBy).toEqual([{ instance: A, ms: 400 }]);
  });

  it('waits for no lapsed lease, names it as long as it may trust its list, then forgets it', () => {
    acks.leased(A, 0);
    expect(acks.standing(1, 0, 10_000).pending).toEqual([{ instance: A, alive: true }]);
    expect(acks.standing(1, 0, 10_001).pending).toEqual([{ instance: A, alive: false }]);
    expect(acks.standing(1, 0, 70_001).pending).toEqual([]);
  });

  it('takes what is urgent for enforced before what is not, and never the other way', () => {
    acks.acknowledged(A, 7, 100, 900);
    expect(acks.standing(900, 0, 150).enforcedBy).toEqual([{ instance: A, ms: 100 }]);
    expect(acks.standing(900, 0, 150, true).enforcedBy).toEqual([]);
    acks.acknowledged(A, 8, 200);
    expect(acks.standing(900, 0, 250).enforcedBy).toEqual([{ instance: A, ms: 100 }]);
    acks.acknowledged(A, 900, 300);
    expect(acks.standing(900, 0, 350, true).enforcedBy).toEqual([{ instance: A, ms: 300 }]);
  });

  it('forgets one that said goodbye at once', () => {
    acks.leased(A, 0);
    acks.gone(A);
    expect(acks.standing(1, 0, 1)).toEqual({ enforcedBy: [], pending: [] });
  });

  it('keeps a bounded memory of acknowledgements', () => {
    for (let sequence = 1; sequence <= 1000; sequence++) acks.acknowledged(A, sequence, sequence);
    expect(acks.standing(1, 0, 1000).enforcedBy).toEqual([{ instance: A, ms: 937 }]);
  });
});
