/** Vehicles that ask for tokens, and what tests look at of it. */
import { issueVehicle, type LeafOptions, type Party } from '@outrider/testing';
import { type Answer, askToken, device, type Ground } from '../token.fixture.js';

export class VehicleTokens {
  constructor(private readonly ground: Ground) {}

  ask(party: Party | undefined, id: string, fields: object = {}): Promise<Answer> {
    return askToken(this.ground, party, id, fields);
  }

  control(party: Party, id: string): Promise<Answer> {
    return this.ask(party, id, { scope: 'command:receive' });
  }

  certificate(id: string, options: LeafOptions = {}): Promise<Party> {
    return issueVehicle(this.ground.fleet, device(id), options);
  }

  /** One that the registry knows. */
  vehicle(
    id: string,
    changed: Parameters<Ground['neighbours']['register']>[1] = {},
    options: LeafOptions = {},
  ): Promise<Party> {
    this.ground.neighbours.register(id, changed);
    return this.certificate(id, options);
  }
}
