import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Ground } from '../telemetry.fixture.js';

const SIZE = '64m';

/** A disk of its own for one database, small enough to fill: a file system in memory, as a tablespace of the real server. */
export class SmallDisk {
  private constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {}

  /** Undefined, with the reason, where this machine cannot have one. */
  static async mount(): Promise<SmallDisk | { readonly missing: string }> {
    const url = process.env.OUTRIDER_TEST_PG_URL;
    if (!url) return { missing: 'no PostgreSQL' };
    if (process.getuid?.() !== 0) return { missing: 'only root may mount' };
    const data = await asAdmin(async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      return rows[0]!.data_directory;
    });
    if (!existsSync(data)) return { missing: 'PostgreSQL runs elsewhere' };
    const folder = mkdtempSync(join(tmpdir(), 'outrider-disk-'));
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0700`, 'tmpfs', folder]).status !== 0) {
      rmSync(folder, { recursive: true });
      return { missing: 'no file system can be mounted' };
    }
    const { uid, gid } = statSync(data);
    chownSync(folder, uid, gid);
    const name = folder
      .slice(folder.lastIndexOf('/') + 1)
      .replaceAll('-', '_')
      .toLowerCase();
    await asAdmin((client) => client.query(`CREATE TABLESPACE ${name} LOCATION '${folder}'`));
    return new SmallDisk(folder, name);
  }

  /** While nobody is connected to the database. */
  async take({ database }: Ground): Promise<void> {
    await asAdmin((client) => client.query(`ALTER DATABASE "${database.name}" SET TABLESPACE ${this.name}`));
  }

  /** Leaves this many bytes. */
  fill(leave: number): void {
    const { bavail, bsize } = statfsSync(this.folder);
    writeFileSync(join(this.folder, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - leave)));
  }

  free(): void {
    rmSync(join(this.folder, 'ballast'));
  }

  /** After the database is gone: what PostgreSQL still wanted to write there would end it. */
  async unmount(): Promise<void> {
    await asAdmin((client) => client.query(`DROP TABLESPACE ${this.name}`));
    spawnSync('umount', [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function asAdmin<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: process.env.OUTRIDER_TEST_PG_URL });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
