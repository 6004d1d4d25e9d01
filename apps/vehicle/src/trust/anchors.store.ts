/** The roots that a vehicle trusts: those put in at the factory, those learned since, less those that are over. Kept across restarts. */
import { join } from 'node:path';
import { type ParsedCertificate, parseCertificates, toPem } from '@outrider/x509';
import { z } from 'zod';
import { readFileIfThere, writeFileDurably } from '../agent/durable-file.store.js';

const Kept = z.strictObject({
  /** PEM. */
  adopted: z.array(z.string()).max(32),
  /** Thumbprints. */
  retired: z.array(z.string()).max(256),
  /** Key thumbprints of the same: a stolen key can sign itself another certificate. */
  retiredKeys: z.array(z.string()).max(256).default([]),
});
type Kept = z.infer<typeof Kept>;
const NOTHING: Kept = { adopted: [], retired: [], retiredKeys: [] };

/** What was put in at the factory: PEM of what servers, and what signed commands, are believed by. */
export interface PinnedTrust {
  readonly serverTrust: string;
  readonly fleetRoot: string;
}

export class AnchorStore {
  private constructor(
    private readonly file: string,
    private readonly pinned: PinnedTrust,
    private kept: Kept,
  ) {}

  /** A file that cannot be read is as none: the vehicle learns again from what the factory put in. */
  static async open(stateDirectory: string, pinned: PinnedTrust): Promise<AnchorStore> {
    const file = join(stateDirectory, 'anchors.json');
    const kept = Kept.safeParse(jsonOf(await readFileIfThere(file)));
    return new AnchorStore(file, pinned, kept.success ? kept.data : NOTHING);
  }

  /** What commands are believed by. */
  get fleetRoots(): ParsedCertificate[] {
    const all = [...parseCertificates(this.pinned.fleetRoot), ...this.adopted()];
    const trusted = distinct(all).filter(({ thumbprint }) => !this.kept.retired.includes(thumbprint));
    return trusted.length > 0 ? trusted : parseCertificates(this.pinned.fleetRoot);
  }

  /** Whether it was trusted once and is over: its key, in whatever certificate. */
  gaveUp({ thumbprint, keyThumbprint }: Pick<ParsedCertificate, 'thumbprint' | 'keyThumbprint'>): boolean {
    return this.kept.retired.includes(thumbprint) || this.kept.retiredKeys.includes(keyThumbprint);
  }

  /** PEM of what servers are believed by. Learned roots count there only where the factory put in a fleet root for servers too. */
  get serverTrust(): string {
    const servers = parseCertificates(this.pinned.serverTrust);
    const roots = new Set(parseCertificates(this.pinned.fleetRoot).map(({ thumbprint }) => thumbprint));
    const others = servers.filter(({ thumbprint }) => !roots.has(thumbprint));
    const trusted = others.length < servers.length ? distinct([...others, ...this.fleetRoots]) : servers;
    return trusted.map(({ der }) => toPem(der, 'CERTIFICATE')).join('');
  }

  /** On disk when it returns. One that comes back is not retired any more. */
  async change(learned: readonly ParsedCertificate[], gone: readonly ParsedCertificate[]): Promise<void> {
    const lost = new Set<string>(gone.map(({ thumbprint }) => thumbprint));
    const back = new Set<string>(learned.map(({ thumbprint }) => thumbprint));
    const backKeys = new Set(learned.map(({ keyThumbprint }) => keyThumbprint));
    const lostKeys = gone.map(({ keyThumbprint }) => keyThumbprint);
    const adopted = distinct([...this.adopted(), ...learned]).filter(({ thumbprint }) => !lost.has(thumbprint));
    const kept = {
      adopted: adopted.map(({ der }) => toPem(der, 'CERTIFICATE')).slice(-32),
      retired: [...new Set([...this.kept.retired, ...lost])].filter((each) => !back.has(each)).slice(-256),
      retiredKeys: [...new Set([...this.kept.retiredKeys, ...lostKeys])]
        .filter((each) => !backKeys.has(each))
        .slice(-256),
    };
    await writeFileDurably(this.file, `${JSON.stringify(kept, null, 2)}\n`);
    this.kept = kept;
  }

  private adopted(): ParsedCertificate[] {
    return this.kept.adopted.flatMap((pem) => parseCertificates(pem));
  }
}

function distinct(certificates: readonly ParsedCertificate[]): ParsedCertificate[] {
  return [...new Map(certificates.map((each) => [each.thumbprint, each])).values()];
}

function jsonOf(text: string | undefined): unknown {
  try {
    return text && JSON.parse(text);
  } catch {
    return undefined;
  }
}
