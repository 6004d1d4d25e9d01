import { open, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { CONFIG, LOGGER, type Logger, Schedule } from '@outrider/platform/service';
import type { Config } from '../config.js';
import { fileOf } from './crl.js';
import { Crls, type CrlVersion } from './crl.repository.js';
import { CrlBytes } from './crl-bytes.service.js';
import { CrlIssuers } from './crl-issuers.service.js';

const LOOK_EVERY_MS = 1000;

/**
 * The published lists as files, for a web server or a CDN: each replaced whole, its time of change the list's thisUpdate. A file is
 * never replaced by an older list, as a restored backup would have it: the next list is newer than both.
 */
@Injectable()
export class CrlFiles implements OnApplicationBootstrap {
  private readonly written = new Map<string, string>();

  constructor(
    private readonly crls: Crls,
    private readonly bytes: CrlBytes,
    private readonly issuers: CrlIssuers,
    private readonly schedule: Schedule,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const { directory } = this.config.crl;
    if (directory === undefined) return;
    this.schedule.every(LOOK_EVERY_MS, 'the lists could not be written as files', () => this.writeNew(directory));
  }

  private async writeNew(directory: string): Promise<void> {
    for (const list of await this.crls.newest(this.issuers.current())) {
      const file = fileOf(list);
      if (this.written.get(file) === list.number) continue;
      const crl = await this.crls.find(list);
      if (crl === undefined) continue;
      if (await this.write(join(directory, file), crl)) this.logger.info({ file, number: crl.number }, 'CRL written');
      this.written.set(file, crl.number);
    }
  }

  /** @returns whether it was newer than what lay there. */
  private async write(path: string, crl: CrlVersion): Promise<boolean> {
    const there = await stat(path).catch(() => undefined);
    if (there && there.mtimeMs > crl.thisUpdate.getTime()) return false;
    const beside = `${path}.new`;
    const handle = await open(beside, 'w', 0o644);
    try {
      for await (const part of this.bytes.parts(crl)) await handle.write(part);
      await handle.sync();
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    await utimes(beside, crl.thisUpdate, crl.thisUpdate);
    await rename(beside, path);
    return true;
  }
}
