import { describe, expect, it } from '@jest/globals';
import { curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { certificateIdOf } from '../harness/openssl.js';
import { Vehicle } from '../harness/vehicle.js';

const url = (id: string, label = '') => `${at('provisioning', 'vehicle')}/.well-known/est${label}/renewal-info/${id}`;

describe('renewal-info', () => {
  it('tells a vehicle by curl when to renew, in JSON, and when to ask again', async () => {
    const vehicle = await Vehicle.enrol('renewal-info');
    const id = await certificateIdOf(vehicle.certificate);
    const answer = await curl(url(id), [], vehicle);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    const { suggestedWindow } = JSON.parse(answer.body) as { suggestedWindow: { start: string; end: string } };
    const [start, end] = [Date.parse(suggestedWindow.start), Date.parse(suggestedWindow.end)];
    expect(start).toBeGreaterThan(Date.now());
    expect(end).toBeGreaterThan(start);
    expect((await curl(url(id, '/default'), [], vehicle)).body).toBe(answer.body);
  });

  it('tells another vehicle nothing, and of another’s certificates nothing either', async () => {
    const [mine, other] = [await Vehicle.enrol('renewal-mine'), await Vehicle.enrol('renewal-other')];
    const id = await certificateIdOf(mine.certificate);
    expect(await curl(url(id), [], other)).toMatchObject({ status: 403 });
    expect(await curl(url(id))).toMatchObject({ status: 401 });
    expect(await curl(url(`${id.split('.')[0]}.AQ`), [], mine)).toMatchObject({ status: 404 });
    expect(await curl(url('nonsense'), [], mine)).toMatchObject({ status: 400 });
  });
});
