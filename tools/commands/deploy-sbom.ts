/**
 * `npm run -s deploy:sbom -- [--service NAME]... [--out DIR]`: the software bill of materials (CycloneDX) of each service as packed from this
 * clone, to `DIR/<service>.cdx.json`. An image holds its own, with Node and the base's libraries, as /outrider/sbom.cdx.json.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pack } from '../deploy/image/pack.ts';
import { runCommand } from '../local/failure.ts';
import { SERVICES } from '../local/services.ts';
import { PROJECT } from '../local/settings.ts';

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      service: { type: 'string', multiple: true, default: SERVICES.map(({ name }) => name) },
      out: { type: 'string', default: 'sbom' },
    },
  });
  const out = resolve(values.out);
  const folder = mkdtempSync(join(tmpdir(), 'outrider-sbom-'));
  mkdirSync(out, { recursive: true });
  try {
    for (const service of values.service) {
      const packed = join(folder, service);
      const { packages } = pack({ project: PROJECT, service, out: packed, base: [], epochSeconds: 0 });
      copyFileSync(join(packed, 'sbom.cdx.json'), join(out, `${service}.cdx.json`));
      console.log(`${join(out, `${service}.cdx.json`)}: ${packages.size} packages`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
});
