/** Receipts as the platform signed them, a line each, never changed: `outrider telemetry verify-receipt` reads the file. */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const WithReceipt = z.looseObject({ receipt: z.string().max(1_048_576) });

export class ReceiptsStore {
  private readonly path: string;

  constructor(private readonly directory: string) {
    this.path = join(directory, 'receipts.ndjson');
  }

  /** Of the answer's body, if it has one; on the disk when the promise resolves. The answer itself counts without it. */
  async keep(body: string): Promise<void> {
    const receipt = receiptOf(body);
    if (receipt === undefined) return;
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const file = await open(this.path, 'a', 0o600);
    try {
      await file.appendFile(`${JSON.stringify({ receipt })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

function receiptOf(body: string): string | undefined {
  try {
    return WithReceipt.safeParse(JSON.parse(body)).data?.receipt;
  } catch {
    return undefined;
  }
}
