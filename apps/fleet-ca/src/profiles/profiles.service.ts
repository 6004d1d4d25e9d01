import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CONFIG } from '@outrider/platform/service';
import type { CertificateProfile } from '@outrider/x509';
import type { Config } from '../config.js';
import { offeredProfiles, type ProfileSource } from './profiles.js';

/** Read once, at start: a profile that is wrong keeps the process from starting. */
@Injectable()
export class Profiles {
  private readonly offered: ReadonlyMap<string, CertificateProfile>;

  constructor(@Inject(CONFIG) { profiles }: Config) {
    this.offered = offeredProfiles(profiles.offered, profiles.folder === undefined ? [] : readFolder(profiles.folder));
  }

  /** @throws DomainError `ca.profile_unknown` */
  get(name: string): CertificateProfile {
    const profile = this.offered.get(name);
    if (profile === undefined) throw new DomainError('ca.profile_unknown', { detail: `no profile ${name} is offered` });
    return profile;
  }
}

function readFolder(folder: string): ProfileSource[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ name: file.slice(0, -'.json'.length), json: readJson(join(folder, file)) }));
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new DomainError('ca.profile_invalid', { cause, detail: `${file}: ${(cause as Error).message}` });
  }
}
