import { EVENTS_STREAM } from '@outrider/contracts';
import pg from 'pg';
import { type Ground, httpsRequest, type Service, until } from '../telemetry.fixture.js';

/** While nobody is connected: what a backup of this moment is. */
export function backUp({ database }: Ground): Promise<void> {
  return asAdmin((client) => client.query(`CREATE DATABASE "${database.name}_backup" TEMPLATE "${database.name}"`));
}

/** While nobody is connected: the database becomes what it was at the backup. */
export async function restore({ database }: Ground): Promise<void> {
  await asAdmin(async (client) => {
    await client.query(`DROP DATABASE "${database.name}" WITH (FORCE)`);
    await client.query(`ALTER DATABASE "${database.name}_backup" RENAME TO "${database.name}"`);
  });
}

/** Every event has gone out; only then is it a mark. */
export async function published({ database }: Ground): Promise<void> {
  const client = await database.admin();
  try {
    await until(async () => (await client.query('SELECT 1 FROM event_groups LIMIT 1')).rowCount === 0, 20_000);
  } finally {
    await client.end();
  }
}

/** Whether the stream lets anybody read a subject's last message. */
export async function allowDirect({ nats }: Ground, allow: boolean): Promise<void> {
  const connection = await nats.connectAs('provisioner');
  const ask = async (verb: string, body: object) => {
    const answer = await connection.request(`$JS.API.STREAM.${verb}.${EVENTS_STREAM.name}`, JSON.stringify(body));
    const { config, error } = answer.json<{ config: object; error?: object }>();
    if (error) throw new Error(JSON.stringify(error));
    return config;
  };
  await ask('UPDATE', { ...(await ask('INFO', {})), allow_direct: allow });
  await connection.close();
}

/** An operator's request to the service. */
export function operate({ fleet, authority }: Ground, { operatorUrl }: Service, scope = 'device:read device:write') {
  const headers = { authorization: `Bearer ${authority.operatorToken(scope)}`, 'content-type': 'application/json' };
  const ca = fleet.root.certificatePem;
  return {
    get: (path: string) => httpsRequest(operatorUrl + path, { ca, headers }),
    post: (path: string, body: object) =>
      httpsRequest(operatorUrl + path, { method: 'POST', ca, headers }, JSON.stringify(body)),
  };
}

async function asAdmin(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.OUTRIDER_TEST_PG_URL });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
