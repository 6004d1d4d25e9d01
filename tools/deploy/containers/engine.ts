/** buildah, podman and runc, driven as this machine can: also inside a container without systemd, cgroup v2, or a network of its own to give. */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onPath } from '../../local/nats-binary.ts';

const PROGRAMS = ['buildah', 'podman', 'runc', 'debootstrap'] as const;

/** Why no container can be built and run here; undefined when it can. */
export function whyNot(): string | undefined {
  const missing = PROGRAMS.filter((program) => !onPath(program));
  if (missing.length > 0)
    return `${missing.join(', ')} missing here (Debian: apt-get install buildah podman runc debootstrap)`;
  return process.getuid?.() === 0 ? undefined : 'containers are built and run as root here';
}

/** No network of their own: what they publish is on this machine's loopback, as everything else. */
export function containersEnv(folder = mkdtempSync(join(tmpdir(), 'outrider-containers-'))): NodeJS.ProcessEnv {
  const file = join(folder, 'containers.conf');
  const text = [
    '[containers]',
    'netns = "host"',
    `default_ulimits = ["nofile=${limit('Max open files', 65_536)}", "nproc=${limit('Max processes', 4096)}"]`,
    '[engine]',
    'runtime = "runc"',
    'cgroup_manager = "cgroupfs"',
    'events_logger = "file"',
    '',
  ].join('\n');
  writeFileSync(file, text);
  return { ...process.env, CONTAINERS_CONF: file };
}

/** Soft and hard: as wanted, or what this process may have, which it cannot raise in a container. */
function limit(name: string, wanted: number): string {
  const line = new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(readFileSync('/proc/self/limits', 'utf8'));
  const hard = Number(line?.[1] ?? wanted);
  const value = Number.isNaN(hard) ? wanted : Math.min(wanted, hard);
  return `${value}:${value}`;
}

/** Standard output; throws with what it said when it fails. */
export function run(env: NodeJS.ProcessEnv, program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status === 0) return stdout;
  throw new Error(
    `${program} ${args.slice(0, 3).join(' ')} ... failed: ${error?.message ?? `${stderr}${stdout}`.trim().slice(-4000)}`,
  );
}

/** The same, without waiting for it: several at once. */
export async function runAside(env: NodeJS.ProcessEnv, program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { env, maxBuffer: 2 ** 26 });
  return stdout;
}

/** All that it said, whatever came of it. */
export function both(env: NodeJS.ProcessEnv, program: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { env, encoding: 'utf8' });
  return `${stdout ?? ''}${stderr ?? ''}`;
}

export function works(env: NodeJS.ProcessEnv, program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { env, stdio: 'ignore' }).status === 0;
}

/** Lets a long command speak for itself, on standard error. */
export function show(env: NodeJS.ProcessEnv, program: string, ...args: readonly string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 2, 2] });
    child.once('error', failed);
    child.once('close', (code) => (code === 0 ? done() : failed(new Error(`${program} ${args[0]}: exit ${code}`))));
  });
}

/** The commit that is built, with a mark where the tree holds more. */
export function revision(project: string): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: project, encoding: 'utf8' }).trim();
  try {
    const commit = git('rev-parse', '--short=12', 'HEAD');
    return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}-changed`;
  } catch {
    return 'unknown';
  }
}
