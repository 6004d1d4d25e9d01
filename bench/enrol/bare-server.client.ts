import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { signDer } from '@outrider/crypto';
import { SerialNumber } from '@outrider/ids';
import { issueCertificate, OID, type ProfileName, toPem } from '@outrider/x509';

export interface BareServer {
  readonly pid: number;
  readonly origin: string;
  /** What its clients believe. */
  readonly ca: string;
  stop(): void;
}

/** `file`: another server that is told the same way, and `more`. A process of its own, with keys and a chain of the same kinds as the product's: root P-384, intermediate and leaf P-256. */
export async function startBareServer(
  clientCa: string,
  file = join(import.meta.dirname, 'bare-server.command.js'),
  more: object = {},
): Promise<BareServer> {
  const { root, leaf, chain, key } = await serverChain();
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify({ key, cert: `${leaf}${chain}`, ca: clientCa, ...more }));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    pid: child.pid as number,
    origin: `https://127.0.0.1:${port.toString().trim()}`,
    ca: root,
    stop: () => void child.kill(),
  };
}

async function serverChain() {
  const keysOf = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
  const [rootKeys, caKeys, keys] = [keysOf('P-384'), keysOf('P-256'), keysOf('P-256')];
  const describe = (profile: ProfileName, name: string, { publicKey }: typeof keys) => ({
    profile,
    serialNumber: SerialNumber.parse(`7${randomBytes(16).toString('hex').slice(1)}`),
    subject: [{ type: OID.commonName, value: name }],
    spkiDer: publicKey.export({ type: 'spki', format: 'der' }),
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 86_400_000),
  });
  const root = await issueCertificate(describe('root', 'Bench Root', rootKeys), 'self', (tbs) =>
    signDer(rootKeys.privateKey, tbs),
  );
  const ca = await issueCertificate(describe('issuing-ca', 'Bench CA', caKeys), root, (tbs) =>
    signDer(rootKeys.privateKey, tbs),
  );
  const names = { sanDns: ['localhost'], sanIps: ['127.0.0.1'], sanUri: 'spiffe://bench.example.com/service/bare' };
  const leaf = await issueCertificate({ ...describe('service-server', 'bare', keys), ...names }, ca, (tbs) =>
    signDer(caKeys.privateKey, tbs),
  );
  return {
    root: toPem(root.der, 'CERTIFICATE'),
    chain: toPem(ca.der, 'CERTIFICATE'),
    leaf: toPem(leaf.der, 'CERTIFICATE'),
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}
