import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '@outrider/platform/service';
import type { Config } from '../config.js';
import { buildCatalogue, type Catalogue } from './catalogue.js';

/** The catalogue's folder, read once at the start: with a file that does not fit the service does not start. */
@Injectable()
export class CatalogueStore {
  readonly kinds: Catalogue;

  constructor(@Inject(CONFIG) { catalogue }: Config) {
    const names = readdirSync(catalogue.folder)
      .filter((name) => name.endsWith('.json'))
      .toSorted();
    this.kinds = buildCatalogue(Object.fromEntries(names.map((name) => [name, read(join(catalogue.folder, name))])));
  }
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file}: ${(cause as Error).message}`, { cause });
  }
}
