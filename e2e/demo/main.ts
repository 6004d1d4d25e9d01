/** `npm run demo [-- --drive FILE]`: a vehicle's life and the theft of it, against the running suite. Exit 1 at the first thing that is not as it must be. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Agent } from '../harness/agent.js';
import { parkedDrive } from '../harness/drives.js';
import { SERVICES } from '../harness/endpoints.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { isReady } from '../harness/operator.js';
import { makeDevice } from '../harness/vehicle.js';
import { arrival } from './arrival.js';
import { commands } from './commands.js';
import { forgeries } from './forgeries.js';
import { theft } from './theft.js';
import { NotAsItMustBe, Timeline } from './timeline.js';

const { values } = parseArgs({ options: { drive: { type: 'string' } } });
const driveFile = values.drive === undefined ? undefined : resolve(process.env.INIT_CWD ?? '.', values.drive);
if (driveFile !== undefined && !existsSync(driveFile)) {
  console.error(`There is no drive ${driveFile}`);
  process.exit(2);
}
const timeline = new Timeline();
const deviceId = newDeviceId('demo-car');
const state = inFolder(`${deviceId}-state`);
let agent: Agent | undefined;

try {
  timeline.chapter('The suite');
  for (const service of SERVICES) timeline.must(`${service} is ready`, await isReady(service), 'not ready');
  timeline.line('all seven services are ready');

  timeline.chapter(`A vehicle arrives: ${deviceId}`);
  const begun = performance.now();
  const factory = await makeDevice(deviceId);
  timeline.line('made in the demo factory, known to the registry', performance.now() - begun);
  const drive = driveFile === undefined ? [] : ['--drive', driveFile];
  agent = new Agent('run', '--state', state, '--factory', factory.folder, ...drive);
  await arrival(timeline, agent);

  timeline.chapter('Someone tampers with its telemetry');
  await forgeries(timeline, deviceId, state);

  timeline.chapter('It takes commands');
  const driving = agent;
  agent = await commands(timeline, deviceId, driving, {
    moves: driveFile === undefined,
    park: async () => {
      await driving.stop();
      agent = new Agent('run', '--state', state, '--factory', factory.folder, '--drive', parkedDrive());
      return agent;
    },
  });

  timeline.chapter('It is stolen');
  await theft(timeline, deviceId, state, agent);
  console.log('\nAs it must be.');
} catch (error) {
  if (!(error instanceof NotAsItMustBe)) throw error;
  console.error(`\nNOT AS IT MUST BE: ${error.message}`);
  process.exitCode = 1;
} finally {
  await agent?.stop();
}
