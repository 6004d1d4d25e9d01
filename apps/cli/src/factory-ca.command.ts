/** `factory-ca.command.js --out DIR`: makes the demo manufacturer's CA, `DIR/ca.crt` and `DIR/ca.key`, unless it is there. Exit codes: 0 done, 2 bad usage. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { signDer } from '@outrider/crypto';
import { SerialNumber } from '@outrider/ids';
import { issueCertificate, OID, PROFILES, toPem } from '@outrider/x509';

const { out } = parseArgs({ options: { out: { type: 'string' } } }).values;
if (!out) {
  console.error('usage: factory-ca.command.js --out DIR');
  process.exit(2);
}
const certificateFile = join(out, 'ca.crt');
if (!existsSync(certificateFile)) await makeFactoryCa(out);

async function makeFactoryCa(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const notBefore = new Date(Date.now() - 3_600_000);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40; // positive and of full length, whatever else it is
  const certificate = await issueCertificate(
    {
      profile: 'factory-ca',
      serialNumber: SerialNumber.parse(serial.toString('hex')),
      subject: [{ type: OID.commonName, value: 'Demo Motors Factory CA' }],
      spkiDer: publicKey.export({ type: 'spki', format: 'der' }),
      notBefore,
      notAfter: new Date(notBefore.getTime() + PROFILES['factory-ca'].lifetimeSeconds.default * 1000),
    },
    'self',
    (tbs) => signDer(privateKey, tbs),
  );
  // The certificate last: where it is, its key is.
  writeWhole(join(directory, 'ca.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600);
  writeWhole(certificateFile, toPem(certificate.der, 'CERTIFICATE'), 0o644);
}

function writeWhole(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}
