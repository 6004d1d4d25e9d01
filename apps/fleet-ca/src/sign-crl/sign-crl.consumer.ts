import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { crlSign } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { SignCrl } from './sign-crl.service.js';

@Injectable()
export class SignCrlConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly signCrl: SignCrl,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(crlSign, async ({ request, entries }) => {
      const inline = entries === undefined ? undefined : Buffer.from(entries, 'base64');
      const { head, tail } = await this.signCrl.sign(request, inline, new Date());
      return { head: base64(head), tail: base64(tail) };
    });
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
