/** Kubernetes' Pod Security Standards, profile `restricted` (which is `baseline` and more), as a check of a pod: its controls, field by field. */

interface Profile {
  readonly type?: string;
}
interface SecurityContext {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly procMount?: string;
  readonly seccompProfile?: Profile;
  readonly appArmorProfile?: Profile;
  readonly seLinuxOptions?: { readonly type?: string; readonly user?: string; readonly role?: string };
  readonly windowsOptions?: { readonly hostProcess?: boolean };
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly sysctls?: readonly { readonly name: string }[];
}
interface Handler {
  readonly httpGet?: { readonly host?: string };
  readonly tcpSocket?: { readonly host?: string };
}
interface Container {
  readonly name: string;
  readonly securityContext?: SecurityContext;
  readonly ports?: readonly { readonly hostPort?: number }[];
  readonly livenessProbe?: Handler;
  readonly readinessProbe?: Handler;
  readonly startupProbe?: Handler;
  readonly lifecycle?: { readonly postStart?: Handler; readonly preStop?: Handler };
}
export interface Pod {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly securityContext?: SecurityContext;
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly ephemeralContainers?: readonly Container[];
  readonly volumes?: readonly object[];
}

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
  'image',
];
const SECCOMP = ['RuntimeDefault', 'Localhost'];
const SELINUX = [undefined, '', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
const SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];

/** The controls that the pod breaks, each with where; none for one that an API server admits under `enforce: restricted`. */
export function breachesOfRestricted(pod: Pod): string[] {
  const containers = [...(pod.initContainers ?? []), ...(pod.containers ?? []), ...(pod.ephemeralContainers ?? [])];
  return [
    ...ofPod(pod),
    ...everyContext('the pod', pod.securityContext ?? {}),
    ...containers.flatMap((container) => [
      ...everyContext(container.name, container.securityContext ?? {}),
      ...ofContainer(container, pod.securityContext ?? {}),
    ]),
  ];
}

function ofPod(pod: Pod): string[] {
  const namespaces = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((key) => pod[key]);
  const volumes = (pod.volumes ?? []).flatMap((volume) =>
    Object.keys(volume).filter((key) => key !== 'name' && !VOLUMES.includes(key)),
  );
  const sysctls = (pod.securityContext?.sysctls ?? []).filter(({ name }) => !SYSCTLS.includes(name));
  return [
    ...namespaces.map((key) => `host namespaces: ${key}`),
    ...volumes.map((type) => `volume types: ${type}`),
    ...sysctls.map(({ name }) => `sysctls: ${name}`),
  ];
}

/** What neither a pod nor a container may say. */
function everyContext(where: string, context: SecurityContext): string[] {
  const { seLinuxOptions = {}, appArmorProfile, seccompProfile } = context;
  const breaks: [string, boolean][] = [
    ['windows hostProcess', context.windowsOptions?.hostProcess === true],
    ['SELinux type', !SELINUX.includes(seLinuxOptions.type)],
    ['SELinux user or role', Boolean(seLinuxOptions.user || seLinuxOptions.role)],
    ['AppArmor', appArmorProfile !== undefined && !SECCOMP.includes(appArmorProfile.type ?? '')],
    ['seccomp', seccompProfile !== undefined && !SECCOMP.includes(seccompProfile.type ?? '')],
    ['running as root: runAsNonRoot', context.runAsNonRoot === false],
    ['running as root: runAsUser', context.runAsUser === 0],
  ];
  return named(breaks, where);
}

function ofContainer(container: Container, ofThePod: SecurityContext): string[] {
  const { name, securityContext: context = {} } = container;
  const { add = [], drop = [] } = context.capabilities ?? {};
  const breaks: [string, boolean][] = [
    ['privileged', context.privileged === true],
    ['privilege escalation', context.allowPrivilegeEscalation !== false],
    ['procMount', context.procMount !== undefined && context.procMount !== 'Default'],
    ['running as root: not said', (context.runAsNonRoot ?? ofThePod.runAsNonRoot) !== true],
    ['seccomp: not said', (context.seccompProfile ?? ofThePod.seccompProfile) === undefined],
    ['capabilities: drop ALL', !drop.includes('ALL')],
    ['capabilities: add', add.some((capability) => capability !== 'NET_BIND_SERVICE')],
    ['host ports', (container.ports ?? []).some(({ hostPort = 0 }) => hostPort !== 0)],
    [
      'host of a probe or hook',
      handlersOf(container).some(({ httpGet, tcpSocket }) => Boolean(httpGet?.host || tcpSocket?.host)),
    ],
  ];
  return named(breaks, name);
}

function handlersOf({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): Handler[] {
  return [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].filter(
    (one) => one !== undefined,
  );
}

function named(breaks: readonly [string, boolean][], where: string): string[] {
  return breaks.filter(([, broken]) => broken).map(([control]) => `${control} (${where})`);
}
