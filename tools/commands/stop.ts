/** `npm stop`: ends the suite that runs here, in order, and whatever a killed supervisor left behind. */
import { runCommand } from '../local/failure.ts';
import { readSettings } from '../local/settings.ts';
import { stopRunning } from '../local/stop.ts';

await runCommand(async () => {
  console.log(await stopRunning(readSettings()));
  return 0;
});
