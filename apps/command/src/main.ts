import 'reflect-metadata';
import { boot } from '@outrider/platform/service';
import { CommandRow } from './command/command.entity.js';
import { CommandModule } from './command.module.js';
import { Config } from './config.js';
import { Commands1763803000000 } from './migrations/1763803000000-commands.migration.js';
import { PolicyBasis1764510000000 } from './migrations/1764510000000-policy-basis.migration.js';
import { Presence1764520000000 } from './migrations/1764520000000-presence.migration.js';
import { Sending1764700000000 } from './migrations/1764700000000-sending.migration.js';
import { BatchesAlone1764900000000 } from './migrations/1764900000000-batches-alone.migration.js';

await boot({
  service: 'command',
  config: Config,
  module: CommandModule,
  entities: [CommandRow],
  migrations: [
    Commands1763803000000,
    PolicyBasis1764510000000,
    Presence1764520000000,
    Sending1764700000000,
    BatchesAlone1764900000000,
  ],
});
