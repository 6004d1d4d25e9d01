/** The suite in containers does what the suite does, and its containers are as the manifests ask. */
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { PROJECT, SERVICES } from '../harness/endpoints.js';
import { run } from '../harness/run.js';
import { facts, podman } from './containers.js';

interface Container {
  readonly Name: string;
  readonly ImageName: string;
  readonly Config: { readonly User: string; readonly Env: readonly string[] };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[];
    readonly SecurityOpt: readonly string[];
  };
  readonly EffectiveCaps: readonly string[] | null;
  readonly State: { readonly Status: string };
}

describe('containers', () => {
  test.each(SERVICES)('%s runs without root, capabilities or a root that it could write to', async (service) => {
    const container = await running(service);
    expect(container.State.Status).toBe('running');
    expect(container.HostConfig.ReadonlyRootfs).toBe(true);
    expect(container.EffectiveCaps ?? []).toEqual([]);
    const uid = await podman('exec', container.Name, 'node', '-p', 'process.getuid()');
    expect(uid.trim()).toBe('65532');
    const writing = `try { fs.writeFileSync('/outrider/x', ''); 'written' } catch (error) { error.code }`;
    expect((await podman('exec', container.Name, 'node', '-p', writing)).trim()).toBe('EROFS');
    expect(container.Config.Env.filter((line) => /^[^=]*(password|secret|passphrase|token|key)/i.test(line))).toEqual(
      [],
    );
  });

  test.each(SERVICES)('%s says by its own health check that it is ready', async (service) => {
    const { Name } = await running(service);
    await expect(podman('exec', Name, 'node', 'healthcheck.mjs')).resolves.toBe('');
  });

  it('carry the whole demo: enrolment, signed telemetry, commands, a theft and its end', async () => {
    // It holds the suite to one second from a revocation to every refusal: once more, where something else had the processors.
    const first = await demo();
    const { code, text } = first.code === 0 ? first : await demo();
    if (code !== 0) throw new Error(`exit ${code}\n${text.split('\n').slice(-30).join('\n')}`);
    expect(text).toContain('As it must be.');
  }, 300_000);
});

async function demo(): Promise<{ code: number | null; text: string }> {
  const program = join(PROJECT, 'e2e', 'dist', 'demo', 'main.js');
  const { code, stdout, stderr } = await run(process.execPath, [program], { timeoutMs: 140_000 });
  return { code, text: `${stdout}${stderr}`.trim() };
}

/** The container of a service, by the image that it was made from. */
async function running(service: string): Promise<Container> {
  const image = facts.images.find((one) => one.service === service)?.name;
  const names = (await podman('ps', '--filter', `ancestor=${image}`, '--format', '{{.Names}}')).trim().split('\n');
  const [about] = JSON.parse(await podman('container', 'inspect', names[0] ?? '')) as [Container];
  return about;
}
