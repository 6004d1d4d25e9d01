import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { jobId } from './job-id.js';

const hash = 'ab'.repeat(32);

test('the same file with the same words is the same job, whatever their order', () => {
  const id = jobId(hash, { reason: 'superseded', action: 'revoke' });
  expect(z.uuid().parse(id)).toBe(jobId(hash, { action: 'revoke', reason: 'superseded', at: undefined }));
});

test('another file, or another word, is another job', () => {
  const ids = [
    jobId(hash, { reason: 'superseded' }),
    jobId(hash, { reason: 'keyCompromise' }),
    jobId(hash, { at: 'superseded' }),
    jobId('cd'.repeat(32), { reason: 'superseded' }),
  ];
  expect(new Set(ids).size).toBe(4);
});
