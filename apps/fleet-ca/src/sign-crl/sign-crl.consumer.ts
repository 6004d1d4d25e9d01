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
    this.subscriptions.answer(crlSign, async ({ request }) => ({
      crl: Buffer.from(await this.signCrl.sign(request, new Date())).toString('base64'),
    }));
  }
}
