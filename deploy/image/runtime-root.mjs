/**
 * `runtime-root.mjs OUT LIST`: copies from the image that it runs in what Node needs to run, and nothing else, into OUT: no shell, no package
 * manager, no tools, whatever the base has. Writes to LIST what that is, for the bill of materials. No dependencies; any base with Node 24 and glibc.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

const USER = 65532;
/** Loaded by name at run time, so that no list of loaded objects has them. */
const LOADED_LATE = /^lib(nss_dns|nss_files|resolv|rt|atomic)\.so\.\d+$/;

const [out, list] = process.argv.slice(2);
const epochSeconds = Number(process.env.SOURCE_DATE_EPOCH || '0');

const libraries = sharedObjects();
for (const file of libraries) copy(realpathSync(file), file, 0o755);
copy(process.execPath, '/usr/local/bin/node', 0o755);
for (const file of ['/etc/os-release', '/usr/lib/os-release'])
  if (existsSync(file)) copy(realpathSync(file), file, 0o644);
if (existsSync('/etc/ssl/certs/ca-certificates.crt')) {
  copy(realpathSync('/etc/ssl/certs/ca-certificates.crt'), '/etc/ssl/certs/ca-certificates.crt', 0o644);
}
write('/etc/passwd', `root:x:0:0:root:/:/sbin/nologin\noutrider:x:${USER}:${USER}:outrider:/:/sbin/nologin\n`);
write('/etc/group', `root:x:0:\noutrider:x:${USER}:\n`);
write('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
for (const folder of ['/etc/outrider', '/run/outrider', '/outrider', '/tmp', '/var/tmp'])
  mkdirSync(join(out, folder), { recursive: true });
// The one folder that a service may write to, if a volume is there: it takes over whose it is.
mkdirSync(join(out, '/var/lib/outrider'), { recursive: true, mode: 0o700 });
chownSync(join(out, '/var/lib/outrider'), USER, USER);
for (const folder of ['/tmp', '/var/tmp']) chmodSync(join(out, folder), 0o1777);
settle(out);
writeFileSync(list, `${JSON.stringify(packages(), null, 1)}\n`);

/** What this very Node has loaded, at the paths the loader looks at. */
function sharedObjects() {
  const loaded = process.report.getReport().sharedObjects.filter((file) => file.startsWith('/') && existsSync(file));
  const libc = loaded.find((file) => basename(file).startsWith('libc.so'));
  if (!libc) throw new Error('this Node names no C library of its own: a base with glibc is needed');
  const late = readdirSync(dirname(libc)).filter((name) => LOADED_LATE.test(name));
  return [...new Set([...loaded, ...late.map((name) => join(dirname(libc), name))])].sort();
}

function copy(from, to, mode) {
  mkdirSync(dirname(join(out, to)), { recursive: true });
  copyFileSync(from, join(out, to));
  chmodSync(join(out, to), mode);
}

function write(to, text) {
  mkdirSync(dirname(join(out, to)), { recursive: true });
  writeFileSync(join(out, to), text);
}

/** One time for everything, deepest first: the layer is the same each time it is made. */
function settle(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) settle(path);
    else lutimesSync(path, epochSeconds, epochSeconds);
  }
  lutimesSync(folder, epochSeconds, epochSeconds);
}

/** Node, and the distribution's packages that own what was copied. */
function packages() {
  const owned = new Set(
    libraries.flatMap((file) => [file, realpathSync(file)]).map((file) => file.replace(/^\/usr\//, '/')),
  );
  const debian = [...dpkg(), ...distroless()].filter(({ files }) =>
    files.some((file) => owned.has(file.replace(/^\/usr\//, '/'))),
  );
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const distribution = `${/^ID=(\S+)/m.exec(release)?.[1] ?? 'linux'}-${/^VERSION_ID="?([\d.]+)/m.exec(release)?.[1] ?? ''}`;
  const found = debian.map(({ name, version }) => ({ name, version, type: 'deb', distribution }));
  return [
    { name: 'node', version: process.versions.node, type: 'generic' },
    ...found.sort((a, b) => (a.name < b.name ? -1 : 1)),
  ];
}

/** Debian's own database. */
function dpkg() {
  const status = '/var/lib/dpkg/status';
  if (!existsSync(status)) return [];
  return readFileSync(status, 'utf8')
    .split('\n\n')
    .map(stanza)
    .filter(({ name }) => name)
    .map(({ name, version, architecture }) => {
      const lists = [`/var/lib/dpkg/info/${name}.list`, `/var/lib/dpkg/info/${name}:${architecture}.list`];
      const file = lists.find((one) => existsSync(one));
      return { name, version, files: file ? readFileSync(file, 'utf8').split('\n') : [] };
    });
}

/** The form that distroless images have it in: a file each, and sums of the files. */
function distroless() {
  const folder = '/var/lib/dpkg/status.d';
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !name.endsWith('.md5sums'))
    .map((file) => {
      const sums = join(folder, `${file}.md5sums`);
      const files = existsSync(sums)
        ? readFileSync(sums, 'utf8')
            .split('\n')
            .map((line) => `/${line.slice(34)}`)
        : [];
      return { ...stanza(readFileSync(join(folder, file), 'utf8')), files };
    });
}

function stanza(text) {
  const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1];
  return { name: field('Package'), version: field('Version'), architecture: field('Architecture') };
}
