import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, ConfigError, LOGGER, type Logger, Readiness, Schedule } from '@outrider/platform/service';
import { z } from 'zod';
import type { Config } from '../config.js';
import { type Api, ApiRules, apisByHost, compileApi } from './api-rules.js';

const LOOK_MS = 2_000;

/** The rules of every API behind an edge, as the files say now; files that cannot be used leave the old rules in force and the service not quite ready. */
@Injectable()
export class Apis {
  private readonly folder: string | undefined;
  private texts = '';
  private complaint: string | undefined;
  byHost: ReadonlyMap<string, Api> = new Map();

  constructor(
    @Inject(CONFIG) { authorization }: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
    schedule: Schedule,
  ) {
    this.folder = authorization?.apisFolder;
    if (this.folder === undefined) return;
    this.byHost = this.read() ?? this.byHost;
    readiness.add('api-rules', () => ({ ok: this.complaint === undefined, detail: this.complaint }));
    schedule.every(LOOK_MS, 'the rules of APIs could not be looked at', async () => this.look());
  }

  /** Takes changed rules up, all files together or none. */
  look(): void {
    try {
      const read = this.read();
      this.complaint = undefined;
      if (!read) return;
      this.byHost = read;
      this.logger.info({ apis: [...new Set(read.values())].map(({ name }) => name) }, 'new rules of APIs');
    } catch (error) {
      const complaint = (error as Error).message;
      if (complaint !== this.complaint) this.logger.error({ err: error }, 'the old rules of APIs stay');
      this.complaint = complaint;
    }
  }

  /** Undefined where nothing has changed. @throws ConfigError */
  private read(): ReadonlyMap<string, Api> | undefined {
    const folder = this.folder as string;
    const names = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort();
    const files = names.map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
    const texts = JSON.stringify(files);
    if (texts === this.texts) return undefined;
    const apis = files.map(([name, text]) => parse(join(folder, name), text));
    const seen = new Set(apis.map(({ name }) => name));
    if (seen.size < apis.length) throw new ConfigError(`${folder}: two APIs of one name`);
    const byHost = apisByHost(apis);
    this.texts = texts;
    return byHost;
  }
}

function parse(file: string, text: string): Api {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${file}: ${(cause as Error).message}`, { cause });
  }
  const parsed = ApiRules.safeParse(raw);
  if (!parsed.success) throw new ConfigError(`${file}:\n${z.prettifyError(parsed.error)}`);
  return compileApi(parsed.data);
}
