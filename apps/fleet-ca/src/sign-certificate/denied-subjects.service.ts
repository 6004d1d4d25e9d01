import { Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';

/** What the denylist says of a device and a key before they are certified. */
@Injectable()
export class DeniedSubjects {
  /** @throws DomainError `ca.subject_denied`, `revocation.stale` */
  check(_deviceId: DeviceId | undefined, _keyThumbprint: string, _now: Date): void {
    // Wired to the admission feed as soon as the platform has it.
  }
}
