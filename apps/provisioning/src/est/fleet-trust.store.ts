import { readFileSync } from 'node:fs';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificates } from '@outrider/x509';
import type { Config } from '../config.js';

/** The fleet's own CA certificates, read once. */
@Injectable()
export class FleetTrust {
  readonly root: readonly ParsedCertificate[];
  readonly vehicleCa: readonly ParsedCertificate[];
  readonly all: readonly ParsedCertificate[];

  constructor(@Inject(CONFIG) { trust }: Config) {
    const read = (file: string) => parseCertificates(readFileSync(file, 'utf8'));
    this.root = read(trust.fleetRootFile);
    this.vehicleCa = read(trust.vehicleCaFile);
    this.all = [...this.root, ...this.vehicleCa, ...read(trust.infrastructureCaFile), ...read(trust.controlCaFile)];
  }
}
