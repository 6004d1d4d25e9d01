import { describe, expect, it } from '@jest/globals';
import { messageAccepted } from '@outrider/contracts';
import { DeviceId, Epoch, SequenceNumber, StreamName, Thumbprint } from '@outrider/ids';
import fc from 'fast-check';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import { acceptedEvent, packEvents, unpackEvents } from './accepted-event.js';

const AT = '2026-11-23T02:00:00.123Z';

function record(text: string, ts = 1_763_800_000.25, seq = 7): VerifiedRecord {
  return {
    deviceId: DeviceId.parse('device-12345'),
    stream: StreamName.parse('main'),
    epoch: Epoch.parse(3),
    seq: SequenceNumber.parse(seq),
    ts,
    thumbprint: Thumbprint.parse('A'.repeat(43)),
    canonicalSha256: 'ab'.repeat(32),
    text: () => text,
  } as VerifiedRecord;
}

describe('acceptedEvent', () => {
  it('writes what the contract holds, whatever the payload, the time and the number', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.double({ min: 0, max: 253_402_300_799, noNaN: true }),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        (text, ts, seq) => {
          const { subject, payload } = acceptedEvent(record(text, ts, seq), AT);
          expect(subject).toBe('telemetry.message.accepted.v1.device-12345');
          expect(messageAccepted.payload.parse(JSON.parse(payload.toString('utf8')))).toEqual({
            ...{ deviceId: 'device-12345', stream: 'main', epoch: 3, seq, ts: ts === 0 ? 0 : ts, receivedAt: AT },
            ...{ payload: text, canonicalSha256: 'ab'.repeat(32), thumbprint: 'A'.repeat(43) },
          });
        },
      ),
    );
  });
});

describe('packEvents', () => {
  it('gives back what it packed, in order', () => {
    const events = ['{}', 'é"\\\n', 'x'.repeat(70_000)].map((text) => acceptedEvent(record(text), AT));
    expect(unpackEvents(packEvents(events))).toEqual(events);
    expect(unpackEvents(packEvents([]))).toEqual([]);
  });
});
