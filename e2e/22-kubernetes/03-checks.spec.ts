/** What holds the manifests to their rules would see a breach of each. */
import { describe, expect, it } from '@jest/globals';
import type { KubernetesObject } from './render.js';
import { breachesOfRestricted, type Pod } from './restricted.js';
import { complaintsAbout } from './schemas.js';

const container = {
  name: 'c',
  image: 'registry.example.com/c:1',
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
};
const good: Pod = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [container],
};
const withContext = (more: object): Pod => ({
  ...good,
  containers: [{ ...container, securityContext: { ...container.securityContext, ...more } }],
});

describe('restricted', () => {
  it('admits a pod that says what it has to', () => expect(breachesOfRestricted(good)).toEqual([]));

  it.each<[string, Pod, string]>([
    ['the host network', { ...good, hostNetwork: true }, 'host namespaces: hostNetwork'],
    ['the host processes', { ...good, hostPID: true }, 'host namespaces: hostPID'],
    ['a path of the host', { ...good, volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'volume types: hostPath'],
    ['an NFS volume', { ...good, volumes: [{ name: 'v', nfs: {} }] }, 'volume types: nfs'],
    [
      'an unsafe sysctl',
      { ...good, securityContext: { ...good.securityContext, sysctls: [{ name: 'kernel.msgmax' }] } },
      'sysctls: kernel.msgmax',
    ],
    [
      'no word on root',
      { ...good, securityContext: { seccompProfile: { type: 'RuntimeDefault' } } },
      'running as root: not said (c)',
    ],
    ['a container that takes it back', withContext({ runAsNonRoot: false }), 'running as root: runAsNonRoot (c)'],
    ['user 0', withContext({ runAsUser: 0 }), 'running as root: runAsUser (c)'],
    ['no seccomp', { ...good, securityContext: { runAsNonRoot: true } }, 'seccomp: not said (c)'],
    ['seccomp off', withContext({ seccompProfile: { type: 'Unconfined' } }), 'seccomp (c)'],
    ['AppArmor off', withContext({ appArmorProfile: { type: 'Unconfined' } }), 'AppArmor (c)'],
    ['a privileged container', withContext({ privileged: true }), 'privileged (c)'],
    ['escalation left open', withContext({ allowPrivilegeEscalation: undefined }), 'privilege escalation (c)'],
    ['capabilities kept', withContext({ capabilities: {} }), 'capabilities: drop ALL (c)'],
    [
      'capabilities added',
      withContext({ capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } }),
      'capabilities: add (c)',
    ],
    ['an unmasked /proc', withContext({ procMount: 'Unmasked' }), 'procMount (c)'],
    ['another SELinux type', withContext({ seLinuxOptions: { type: 'spc_t' } }), 'SELinux type (c)'],
    ['a port of the host', { ...good, containers: [{ ...container, ports: [{ hostPort: 80 }] }] }, 'host ports (c)'],
    [
      'a probe to somewhere else',
      { ...good, containers: [{ ...container, livenessProbe: { httpGet: { host: '169.254.169.254' } } }] },
      'host of a probe or hook (c)',
    ],
    [
      'the same in an init container',
      { ...good, initContainers: [{ ...container, name: 'i', securityContext: {} }] },
      'privilege escalation (i)',
    ],
  ])('refuses %s', (_name, pod, breach) => expect(breachesOfRestricted(pod)).toContain(breach));
});

describe('schemas', () => {
  const service = (spec: object): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec,
  });
  const labels = { matchLabels: { a: 'b' } };

  it.each<[string, KubernetesObject, string | undefined]>([
    ['take what is right', service({ ports: [{ port: 80, targetPort: 'http' }] }), undefined],
    ['miss what has to be there', service({ ports: [{ name: 'http' }] }), 'port'],
    ['see a wrong type', service({ ports: [{ port: '80' }] }), 'must be integer'],
    [
      'see a field that is none',
      service({ ports: [{ port: 80, targetport: 'http' }] }),
      '/spec/ports/0/targetport: no such field',
    ],
    ['see it in a map beside others', service({ selectors: { a: 'b' } }), '/spec/selectors: no such field'],
    [
      'see it deep in a pod',
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: {
          selector: labels,
          template: {
            metadata: {},
            spec: { containers: [{ name: 'c', readinessProbe: { httpGet: { port: 1, pth: '/' } } }] },
          },
        },
      },
      'pth: no such field',
    ],
    [
      'know no kind that is none',
      { apiVersion: 'apps/v1', kind: 'Deploymnt', metadata: { name: 'd' } },
      'no schema of apps/v1 Deploymnt',
    ],
    [
      'see it in the Gateway API',
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'TLSRoute',
        metadata: { name: 't' },
        spec: { hostname: ['a.example.com'] },
      },
      'TLSRoute',
    ],
  ])('%s', async (_name, object, complaint) => {
    const found = await complaintsAbout(object);
    if (complaint === undefined) expect(found).toEqual([]);
    else expect(found.join('\n') || 'nothing').toMatch(complaint === 'TLSRoute' ? /hostname/ : complaint);
  });
});
