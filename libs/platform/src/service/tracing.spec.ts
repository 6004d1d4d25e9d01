import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startCollector, type TestCollector } from '@outrider/testing';
import { pino } from 'pino';
import { Sharers } from './sharers.provider.js';
import { currentTrace, newSpan, runInTrace, traceparent } from './trace.provider.js';
import { Tracing } from './tracing.provider.js';

let collector: TestCollector;
const tracing = () => {
  const config = { endpoint: collector.endpoint, sampleRatio: 1, believeSampledOf: [], queueSize: 64 };
  return new Tracing(config, { service: 'telemetry', instance: 'telemetry-1', logger: pino({ level: 'silent' }) });
};
beforeAll(async () => {
  collector = await startCollector();
});
afterAll(async () => {
  await collector?.stop();
});

it('shows work that requests share once, in the trace of the first that is recorded, with links to the others', async () => {
  const one = tracing();
  const sharers = new Sharers<{ n: number }>('commit');
  const enter = (name: string) => one.enter(undefined, false, name, 'server', {});
  const [first, second] = [enter('first'), enter('second')];
  const items = [newSpan(undefined), first, second].map((trace, n) => runInTrace(trace, () => sharers.note({ n })));
  const seen = await sharers.run(items, async () => traceparent());
  for (const trace of [first, second]) trace.span?.end();
  await one.close();
  const shared = collector.spans.filter(({ name }) => name === 'commit');
  expect(shared).toHaveLength(1);
  expect(shared[0]).toMatchObject({ traceId: first.traceId, parentSpanId: first.spanId });
  expect(shared[0]?.links).toEqual([expect.objectContaining({ traceId: second.traceId, spanId: second.spanId })]);
  expect(seen).toBe(`00-${first.traceId}-${shared[0]?.spanId}-01`);
});

it('leaves work that no recorded request shares out of the trace of whoever started it', async () => {
  const one = tracing();
  const starter = one.enter(undefined, false, 'starter', 'server', {});
  const sharers = new Sharers<object>('commit of strangers');
  const item = runInTrace(newSpan(undefined), () => sharers.note({}));
  expect(await runInTrace(starter, () => sharers.run([item], async () => currentTrace()))).toBeUndefined();
  starter.span?.end();
  await one.close();
  expect(collector.spans.map(({ name }) => name)).toContain('starter');
  expect(collector.spans.map(({ name }) => name)).not.toContain('commit of strangers');
});

it('tells of an error its code alone', async () => {
  const one = tracing();
  const { span } = one.enter(undefined, false, 'fails', 'server', {});
  span?.fail(Object.assign(new Error('device-12345 is at 48.1, 11.5'), { code: '23505' }));
  span?.end();
  await one.close();
  expect(collector.text).not.toContain('device-12345');
  expect(collector.spans.find(({ name }) => name === 'fails')?.attributes).toMatchObject({ 'error.type': '23505' });
});

it('shows the collector the token that is in its file now', async () => {
  const tokenFile = join(mkdtempSync(join(tmpdir(), 'outrider-tracing-')), 'token');
  const config = { endpoint: collector.endpoint, sampleRatio: 1, believeSampledOf: [], queueSize: 64, tokenFile };
  const one = new Tracing(config, { service: 'token', instance: 'token-1', logger: pino({ level: 'silent' }) });
  writeFileSync(tokenFile, 'a-token-of-the-collector\n');
  one.enter(undefined, false, 'known', 'server', {}).span?.end();
  await one.close();
  expect(collector.authorization).toBe('Bearer a-token-of-the-collector');
});

it('closes in time though nobody collects', async () => {
  const config = { endpoint: 'http://127.0.0.1:9/v1/traces', sampleRatio: 1, believeSampledOf: [], queueSize: 64 };
  const one = new Tracing(config, { service: 'token', instance: 'token-1', logger: pino({ level: 'silent' }) });
  one.enter(undefined, false, 'lost', 'server', {}).span?.end();
  await one.close();
  expect(one.queue.counts.exported).toBe(0);
});
