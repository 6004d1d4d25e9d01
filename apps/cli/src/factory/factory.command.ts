/** `factory make-device`: what a manufacturer does on its line, with the demo manufacturer's CA. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Grant } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { DEMO_MANUFACTURER, type FactoryFiles, makeFactoryIdentity } from '@outrider/x509';
import { Command } from 'commander';
import { fromUser } from '../endpoints/endpoints.store.js';
import { UsageError } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';

interface MakeDeviceOptions {
  readonly out: string;
  readonly register: boolean;
  readonly label: string[];
  readonly grant: string[];
}

export function factoryCommand(): Command {
  return new Command('factory').description("the demo manufacturer's factory").addCommand(
    new Command('make-device')
      .description('make a factory identity and register the device')
      .argument('<id>', 'device id, e.g. device-12345')
      .requiredOption('--out <dir>', 'gets factory.crt, factory.key and chain.pem')
      .option('--no-register', 'leave the registry alone')
      .option('--label <label>', 'of the device in the registry; may be repeated', collect, [])
      .option('--grant <scope>', `of the device; default ${Grant.options.join(' and ')}; may be repeated`, collect, [])
      .action((id: string, options: MakeDeviceOptions, command: Command) =>
        inSession(command, (session) => makeDevice(session, id, options)),
      ),
  );
}

async function makeDevice({ endpoints, operator, output }: Session, text: string, options: MakeDeviceOptions) {
  const id = DeviceId.safeParse(text);
  if (!id.success)
    throw new UsageError(`${text} is no device id: lower-case letters, digits and hyphens, 3 to 63 of them`);
  if (!endpoints.factory) throw new Error('endpoints.json names no demo manufacturer');
  const [certificate, privateKey] = await Promise.all([
    readFile(endpoints.factory.ca, 'utf8'),
    readFile(endpoints.factory.key, 'utf8'),
  ]);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const files = await makeFactoryIdentity(id.data, { certificate, privateKey }, keys, serialBytes(), new Date());
  const directory = fromUser(options.out);
  await writeFiles(directory, files);
  const device = {
    device_id: id.data,
    manufacturer: DEMO_MANUFACTURER,
    serial_number: files.serialNumber,
    ...(options.label.length > 0 ? { labels: options.label } : {}),
    grants: options.grant.length > 0 ? options.grant : Grant.options,
  };
  if (options.register) await operator.call('provisioning', 'POST', '/v1/devices', { body: device });
  output.record({ ...device, registered: options.register, directory });
}

/** The key is never readable to others, not even between its making and a chmod; files that exist are not written over. */
async function writeFiles(directory: string, { certificate, privateKey, chain }: FactoryFiles): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    await writeFile(join(directory, 'factory.key'), privateKey, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new Error(`${directory} holds a factory identity already`, { cause });
  }
  await writeFile(join(directory, 'factory.crt'), certificate);
  await writeFile(join(directory, 'chain.pem'), chain);
}

/** A positive 127-bit number of exactly 16 bytes. */
function serialBytes(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes;
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
