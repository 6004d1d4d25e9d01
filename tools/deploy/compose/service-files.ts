/** What one service's container gets of a fleet's files: its own configuration, certificate and secrets, the trust that all share, and nobody else's. */

/** Where the files lie in the container, each below the service's folder there. */
const PLACES = [
  ['fleet/trust/', 'trust/'],
  ['fleet/factory/', 'trust/'],
  ['fleet/services/', 'identity/'],
  ['fleet/', 'ca/'],
  ['secrets/', 'secrets/'],
  ['config/', ''],
] as const;
/** What a service writes: a volume that is its own, and stays. */
const STATE = { below: 'identities/', folder: '/var/lib/outrider' } as const;
/** What the image has itself. */
const SHIPPED: Readonly<Record<string, string>> = {
  policies: '/outrider/policies',
  'apps/command/catalogue': '/outrider/catalogue',
};
const MANIFEST = 'fleet/authorities.json';

export interface ServiceFiles {
  /** The configuration as the container reads it. */
  readonly config: object;
  /** Files and folders below the suite's home, and where they go below the service's folder. */
  readonly copies: readonly { readonly from: string; readonly to: string }[];
}

/**
 * `home`, `project`: absolute, as the configuration has them; `folder`: the service's folder in its container; `caKeys`: the key files
 * that go with the CA's manifest, which names them and its certificates relative to itself.
 */
export function serviceFiles(
  config: object,
  home: string,
  project: string,
  folder: string,
  caKeys: readonly string[],
): ServiceFiles {
  const withManifest = ['fleet/trust', ...caKeys.map((file) => `fleet/${file}`)];
  const copies = new Map<string, string>();
  const moved = (text: string): string => {
    if (text.startsWith(`${home}/`)) {
      const from = text.slice(home.length + 1);
      if (from.startsWith(STATE.below)) return STATE.folder;
      const to = placeOf(from);
      copies.set(from, to);
      if (from === MANIFEST) for (const more of withManifest) copies.set(more, placeOf(more, 'ca/'));
      return `${folder}/${to}`;
    }
    const shipped = text.startsWith(`${project}/`) ? SHIPPED[text.slice(project.length + 1)] : undefined;
    if (text.startsWith(`${project}/`) && !shipped) throw new Error(`${text} is in no image`);
    return shipped ?? text;
  };
  const walk = (value: unknown, key = ''): unknown => {
    // For migrations, which the init job runs: the service never reads it, and does not get it.
    if (key === 'ownerPasswordFile') return `${folder}/owner-password-is-not-here`;
    if (typeof value === 'string') return moved(value);
    if (Array.isArray(value)) return value.map((one) => walk(one));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, walk(one, name)]));
  };
  const moving = walk(config) as object;
  return {
    config: moving,
    copies: [...copies].map(([from, to]) => ({ from, to })).sort((a, b) => (a.to < b.to ? -1 : 1)),
  };
}

function placeOf(from: string, below?: string): string {
  const place = PLACES.find(([prefix]) => from.startsWith(prefix));
  if (!place) throw new Error(`no container has a place for ${from}`);
  const [prefix, folder] = place;
  return below ? `${below}${from.slice('fleet/'.length)}` : `${folder}${from.slice(prefix.length)}`;
}
