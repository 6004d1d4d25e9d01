/** Commands for the vehicle `device-1` as the command service signs them, for the agent's specs. */
import { JWS_TYP, signJws } from '@outrider/crypto';
import { CommandId } from '@outrider/ids';
import { issueCommandSigner, type TestFleet } from '@outrider/testing';

export const ID = CommandId.parse('11111111-2222-4333-8444-555555555555');
export const OTHER = CommandId.parse('22222222-2222-4333-8444-555555555555');

/** The first of all, `honk`, good for 30 s, where `payload` says nothing else. */
export type SignedCommands = (payload?: Record<string, unknown>) => string;

export async function commandsOf(fleet: TestFleet): Promise<SignedCommands> {
  const signer = await issueCommandSigner(fleet);
  const x5c = [signer, fleet.controlCa].map(({ certificate }) => Buffer.from(certificate.der).toString('base64'));
  return (payload = {}) => {
    const iat = Math.floor(Date.now() / 1000);
    const content = {
      ...{ command_id: ID, device_id: 'device-1', epoch: 0, counter: 1, iat, exp: iat + 30 },
      ...{ name: 'honk', parameters: {} },
      ...payload,
    };
    return signJws({ header: { typ: JWS_TYP.command, x5c }, payload: JSON.stringify(content), key: signer.privateKey });
  };
}

/** What a compact JWS says, unverified. */
// biome-ignore lint/suspicious/noExplicitAny: what was signed is looked at by tests alone
export const claims = (jws: string): any => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString());
