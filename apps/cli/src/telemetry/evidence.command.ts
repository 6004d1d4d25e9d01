/** `telemetry verify-receipt | verify-export`: judge what the platform signed, offline, by the fleet root alone. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ExportVerifier, verifyReceipt } from '@outrider/evidence';
import { type ParsedCertificate, parseCertificates } from '@outrider/x509';
import { Command } from 'commander';
import { z } from 'zod';
import { endpointsPath, fromUser, readEndpoints } from '../endpoints/endpoints.store.js';
import { OutputService } from '../output/output.service.js';
import { linesOf } from './lines.js';

interface TrustOptions {
  readonly trust?: string;
}

/** An answer of the platform, or a line that the vehicle agent kept. */
const WithReceipt = z.looseObject({ receipt: z.string() });

export function evidenceCommands(): Command[] {
  return [
    offline('verify-receipt', 'whether receipts were signed by the platform, and what they say')
      .argument('<file>', 'a JWS, an answer with a receipt, or one of them a line')
      .action((file: string, options: TrustOptions, command: Command) => receipts(file, options, command)),
    offline('verify-export', 'whether an export is whole and each of its records was signed by the vehicle')
      .argument('<file>', 'made by `telemetry export`')
      .action((file: string, options: TrustOptions, command: Command) => exported(file, options, command)),
  ];
}

function offline(name: string, description: string): Command {
  return new Command(name)
    .description(`${description}; needs no suite`)
    .option('--trust <file>', 'PEM of the fleet root (default: the one that endpoints.json names)');
}

async function receipts(file: string, options: TrustOptions, command: Command): Promise<void> {
  const [output, anchors] = [outputOf(command), await anchorsOf(options)];
  const found: string[] = [];
  const whole = await readFile(fromUser(file), 'utf8');
  for (const text of receiptOf(whole) === undefined ? whole.split('\n') : [whole]) {
    if (text.trim() !== '') found.push(receiptOf(text) ?? text.trim());
  }
  let refused = 0;
  for (const compact of found) {
    const verdict = verifyReceipt(compact, anchors);
    if (!verdict.ok) {
      refused += 1;
      output.item(verdict, ['REFUSED', verdict.reason]);
      continue;
    }
    const { receipt, signer } = verdict;
    const signed = { ok: true, ...receipt, signer: signer.thumbprint };
    if (output.json) output.item(signed, []);
    else {
      const rows = receipt.results.map(({ seq, stream, epoch, verdict, sha256 }) => [
        seq,
        stream,
        epoch,
        verdict,
        sha256,
      ]);
      output.write(`signed for ${receipt.device_id} at ${receipt.issued_at}, stored at ${receipt.committed_at ?? '-'}`);
      output.table(signed, ['SEQ', 'STREAM', 'EPOCH', 'VERDICT', 'SHA-256 OF THE RECORD'], rows);
    }
  }
  if (found.length === 0) throw new Error(`${file}: there is no receipt`);
  if (refused > 0) throw new Error(`${refused} of ${found.length} receipts do not stand`);
}

async function exported(file: string, options: TrustOptions, command: Command): Promise<void> {
  const [output, anchors] = [outputOf(command), await anchorsOf(options)];
  const verifier = new ExportVerifier(anchors);
  for await (const line of linesOf(createReadStream(fromUser(file)))) verifier.line(line);
  const report = verifier.finish();
  const { faults, manifestFault, ...rest } = report;
  if (output.json) output.record(report);
  else {
    output.record({ ...rest, manifest: manifestFault ?? 'signed by the platform, and fits' });
    const rows = faults.map(({ line, seq, segment, fault }) => [line, seq, segment, fault]);
    if (rows.length > 0) output.table(faults, ['LINE', 'SEQ', 'SEGMENT', 'FAULT'], rows);
  }
  if (!report.ok) throw new Error(`${file} does not stand`);
}

/** Of an answer or a kept line; undefined for anything else. */
function receiptOf(text: string): string | undefined {
  try {
    return WithReceipt.safeParse(JSON.parse(text)).data?.receipt;
  } catch {
    return undefined;
  }
}

async function anchorsOf({ trust }: TrustOptions): Promise<readonly ParsedCertificate[]> {
  const file = trust === undefined ? (await readEndpoints(endpointsPath(process.env))).fleetRoot : fromUser(trust);
  return parseCertificates(await readFile(file, 'utf8'));
}

function outputOf(command: Command): OutputService {
  return new OutputService(command.optsWithGlobals<{ json?: boolean }>().json === true);
}
