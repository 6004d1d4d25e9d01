/** Which files of a package run: no sources, declarations, tests or documentation, and natives for this platform alone. */

/** What a licence asks to be passed on. */
const LICENCE = /^(licen[cs]e|copying|notice|authors)/i;
/** Below a package's root only: deeper, `test` may be part of what runs. */
const ASIDE =
  /^(test|tests|__tests__|spec|specs|example|examples|fixtures|bench|benchmark|benchmarks|doc|docs|coverage|man|\.github|\.vscode|\.idea|node_modules\/\.bin)\//;
const NEVER =
  /(\.(spec|test)\.[cm]?js|\.d\.[cm]?ts|\.[cm]?ts|\.tsx|\.map|\.md|\.markdown|\.flow|\.tsbuildinfo|\.(c|cc|cpp|h|hpp|gyp|gypi|o|a|d|mk)|Makefile|CMakeLists\.txt)$/;
const CONFIGURATION =
  /^(\.[^/]*|tsconfig[^/]*\.json|gruntfile\.js|gulpfile\.js|karma\.conf\.js|package-lock\.json|yarn\.lock|pnpm-lock\.yaml)$/i;

/** Parts of packages that nothing here imports: what other bundlers, browsers and languages take. */
const UNUSED: Readonly<Record<string, RegExp>> = {
  typeorm: /^browser\//,
  rxjs: /^(src|dist\/(bundles|esm5?|types))\//,
  '@cedar-policy/cedar-wasm': /^(web|esm)\//,
  'sodium-native': /^deps\//,
  'swagger-ui-dist': /^(?!(package\.json|swagger-ui\.css|swagger-ui-bundle\.js)$)/,
  'node-forge': /^(dist|flash)\//,
};

/** `path` is below the package's folder, with `/`. `platform` as in `linux-x64`. */
export function runs(name: string, path: string, platform: string): boolean {
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (LICENCE.test(file) && !/\.[cm]?[jt]s$/.test(file)) return true;
  if (ASIDE.test(path) || NEVER.test(path) || CONFIGURATION.test(path) || UNUSED[name]?.test(path)) return false;
  const native = /^prebuilds\/([^/]+)\//.exec(path);
  if (native) return native[1] === platform;
  if (path.startsWith('build/'))
    return !path.startsWith('build/Release/') || (path.endsWith('.node') && !path.includes('/obj.target/'));
  return true;
}

/** Of a package of the workspace: what was compiled from its sources, with the maps that our logs' stacks need, and its data. */
export function ownRuns(path: string): boolean {
  if (/^(src|node_modules|coverage)\/|^tsconfig\.json$/.test(path)) return false;
  if (/\.(spec|fixture)\.(js|d\.ts)(\.map)?$/.test(path)) return false;
  return !/\.(d\.[cm]?ts(\.map)?|ts|md|tsbuildinfo)$/.test(path);
}
