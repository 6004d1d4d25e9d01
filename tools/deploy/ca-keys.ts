/** Which keys of a fleet's CAs an online fleet-ca is given: those that it signs with. The root's stays where the fleet was made. */

/** The part of the manifest (`authorities.json`) that says so; files are relative to it. */
export interface CaManifest {
  readonly [authority: string]: { readonly profile: string; readonly generations: readonly CaGeneration[] };
}

export interface CaGeneration {
  readonly key: { readonly kind: string; readonly file?: string };
  readonly certificate: string;
}

/**
 * The key files of every generation of the online authorities, as the manifest names them; keys in a token have none.
 * `infrastructureCaOnline`: fleet-ca renews the services' certificates itself.
 */
export function onlineKeyFiles(manifest: CaManifest, infrastructureCaOnline: boolean): string[] {
  const online = ['vehicle-ca', 'control-ca', ...(infrastructureCaOnline ? ['infrastructure-ca'] : [])];
  return Object.values(manifest)
    .filter(({ profile }) => online.includes(profile))
    .flatMap(({ generations }) => generations.flatMap(({ key }) => key.file ?? []));
}
