import { createInterface } from 'node:readline/promises';

/** Asks on the terminal without showing what is typed. */
export async function hidden(question: string): Promise<string> {
  process.stderr.write(question);
  const lines = createInterface({ input: process.stdin, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
