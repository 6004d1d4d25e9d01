import { randomUUID } from 'node:crypto';
import { storedMessages } from '../harness/database.js';
import { deniedInLog } from '../harness/decisions.js';
import { FORMS } from '../harness/formats.js';
import { operator } from '../harness/operator.js';
import { attack } from './attack.js';
import { attacker, unharmed, victim } from './cast.js';
import { said } from './said.js';

export const anotherVehiclesName = attack(
  8,
  "uses vehicle A's certificate with vehicle B's id in body, path or token",
  '403, nothing stored',
  async (trial) => {
    const [car, forger] = [await victim(), await attacker()];
    const stored = (await storedMessages(car.id)).length;
    const own = forger.message({ device_id: car.id, seq: 7000 });
    trial.check('in the body, signed by A', '403 telemetry.wrong_device', said(await forger.send(own)));
    const captured = car.message();
    trial.check("B's own message by A", '403 telemetry.wrong_device', said(await forger.send(captured)));
    const named = { ...forger.message({ device_id: car.id, seq: 7001 }), kid: await forger.vehicle.thumbprint() };
    trial.check('with a kid', '403 telemetry.wrong_device', said(await forger.send(named)));
    const batch = [forger.message(), captured, own];
    const seen = said(await forger.send(batch));
    trial.check('inside a batch', '200 accepted+telemetry.wrong_device', seen);
    const borrowed = { ...car.message({ device_id: forger.id, seq: 7002 }), kid: await car.vehicle.thumbprint() };
    trial.check("A's name under B's key", '403 telemetry.wrong_device', said(await forger.send(borrowed)));
    for (const form of FORMS) {
      const wrong = /^(403|200) telemetry\.wrong_device$/;
      const name = said(await forger.sendIn(form, own.payload));
      trial.check(`in the body, as ${form}`, wrong, name);
      trial.check(`B's own, as ${form}`, wrong, said(await forger.sendIn(form, captured.payload, car)));
    }
    trial.must('nothing is stored', (await storedMessages(car.id)).length === stored, 'a message more');
    await deniedInLog('telemetry.wrong_device', { device: forger.id, service: 'telemetry' });

    const { body: command } = await operator('command', 'POST', `/v1/vehicles/${car.id}/commands`, {
      body: { name: 'locate' },
      headers: { 'idempotency-key': randomUUID() },
    });
    const token = await forger.token('command:receive command:critical');
    const ask = (what: string, content: object) =>
      forger.client.ask({
        service: 'command',
        method: 'POST',
        path: `/v1/commands/${command.id}/${what}`,
        token,
        body: JSON.stringify(content),
      });
    // To a stranger a command that is not his does not exist.
    trial.check("B's command", '404 command.not_found', said(await ask('nonce', { nonce: 'A'.repeat(43) })));
    trial.check(
      "B's outcome",
      /^(404 command\.not_found|422 command\.outcome_invalid)$/,
      said(await ask('outcome', { outcome: 'e30.e30.e30' })),
    );
    const next = await forger.client.ask({
      service: 'command',
      method: 'GET',
      path: '/v1/commands/next?wait=0',
      token,
    });
    trial.must("B's command is not offered to A", next.status === 204, next);
    await operator('command', 'POST', `/v1/commands/${command.id}/cancel`, { body: {} });
    await unharmed(trial);
  },
);
