/** What an admitted vehicle asks by: whose it is, what its token lets it have, and what each step will say that it stood on. */
import type { DeviceId } from '@outrider/ids';
import type { CommandForm } from '../signing/signed-form.js';
import { mayCritical } from './may-critical.js';

interface Admitted {
  readonly deviceId: DeviceId;
  readonly recovery: boolean;
  readonly certificate: { readonly thumbprint: string };
  readonly claims: { readonly scope: string; readonly jti: string };
}

export function vehicleAsk(vehicle: Admitted, form?: CommandForm) {
  const { deviceId, recovery } = vehicle;
  const ask = { deviceId, recovery, mayCritical: mayCritical(vehicle), evidence: vehicleEvidence(vehicle) };
  return form ? { ...ask, form } : ask;
}

export function vehicleEvidence({ certificate, claims }: Pick<Admitted, 'certificate' | 'claims'>) {
  return { certificate: certificate.thumbprint, token: claims.jti };
}
