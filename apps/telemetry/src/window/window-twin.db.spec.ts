import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeviceId, StreamName } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { acceptInto, emptyWindow, HARD_LIMIT, judge, mutableWindow, WINDOW_BITS } from '@outrider/replay-window';
import type pg from 'pg';
import { inTransaction } from '../store/connection.provider.js';
import { type Ground, prepareGround, type Service, startService } from '../telemetry.fixture.js';
import type { DeviceState } from './decide-batch.js';
import { WindowsRepository } from './windows.repository.js';

const CAR = DeviceId.parse('device-twin');
const MAIN = StreamName.parse('main');
const LONG = process.env.OUTRIDER_TEST_LONG === '1';
const ROUNDS = LONG ? 1000 : 50;
const TIMEOUT_MS = LONG ? 600_000 : 30_000;
const STEPS = 200;

let ground: Ground;
let service: Service;
let client: pg.Client;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
  client = await ground.database.admin();
}, 60_000);

afterAll(async () => {
  await client?.end();
  await service?.close();
  await ground?.stop();
});

/** Park-Miller: a failing round can be had again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 0x7fffffff;
    return state % below;
  };
}

function anySeq(highest: number, below: (n: number) => number): number {
  const kind = below(10);
  if (kind < 4) return highest + 1 + below(4);
  if (kind < 8) return highest - below(WINDOW_BITS + 8);
  if (kind < 9) return highest + below(3 * WINDOW_BITS);
  return highest + HARD_LIMIT - 2 + below(5);
}

describe('the window in the database', () => {
  it(
    `says in SQL what the pure one says, over ${ROUNDS} windows and ${ROUNDS * STEPS} numbers, large ones too`,
    async () => {
      const below = random(20_261_123);
      for (let round = 0; round < ROUNDS; round++) {
        const window = mutableWindow(emptyWindow());
        const start = [1, 2 ** 32 - 500, Number.MAX_SAFE_INTEGER - 700_000][round % 3]!;
        acceptInto(window, start, { hardLimit: start });
        for (let step = 0; step < STEPS; step++)
          acceptInto(window, anySeq(window.highest, below), { hardLimit: HARD_LIMIT });
        const seqs = Array.from({ length: STEPS }, () => anySeq(window.highest, below)).concat(0, -1, -5000);
        const { rows } = await client.query<{ verdict: string }>(
          'SELECT window_verdict($1, $2, seq, $3) AS verdict FROM unnest($4::bigint[]) WITH ORDINALITY AS s(seq, n) ORDER BY n',
          [window.highest, Buffer.from(window.bits), HARD_LIMIT, seqs],
        );
        expect(rows.map(({ verdict }) => verdict)).toEqual(
          seqs.map((seq) => judge(window, seq, { hardLimit: HARD_LIMIT }).verdict),
        );
      }
    },
    TIMEOUT_MS,
  );

  it(
    'comes back from a row bit by bit as it was stored, and goes on as if it had never left',
    async () => {
      const windows = service.app.get(WindowsRepository);
      const database = service.app.get(Database);
      const below = random(6479);
      const kept = mutableWindow(emptyWindow());
      await windows.register([CAR]);
      for (let round = 0; round < ROUNDS; round++) {
        await inTransaction(database, async (tx) => {
          const { devices } = await windows.lock(tx, [CAR]);
          const device = devices.get(CAR) as DeviceState;
          const restored = device.windows.get(MAIN) ?? mutableWindow(emptyWindow());
          expect(restored).toEqual(kept);
          for (let step = 0; step < STEPS; step++) {
            const seq = anySeq(kept.highest, below);
            expect(acceptInto(restored, seq, { hardLimit: HARD_LIMIT })).toEqual(
              acceptInto(kept, seq, { hardLimit: HARD_LIMIT }),
            );
          }
          device.windows.set(MAIN, restored);
          await tx.query(windows.windowsUpdate(devices, [{ deviceId: CAR, stream: MAIN }]));
        });
      }
    },
    TIMEOUT_MS,
  );
});
