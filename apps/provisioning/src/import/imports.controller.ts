import { Readable } from 'node:stream';
import { Controller, Get, Put, Req, Res, StreamableFile } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { mediaType, On, openBody, PathParam, QueryParams, StreamedBody } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { formatOf, ImportId, importDocument, LineQuery, lineDocument } from './import.js';
import { DeviceImport, DeviceImportList, ImportLinePage } from './import-answers.js';
import { ImportRun } from './import-run.service.js';
import { Imports } from './imports.repository.js';

const MAX_BYTES = 64 * 1024 * 1024;
const IDLE_MS = 20_000;
const NDJSON = 'application/x-ndjson';

/** Bulk imports into the registry (docs/protocols/import.md). */
@Controller('/v1/device-imports')
export class ImportsController {
  constructor(
    private readonly run: ImportRun,
    private readonly imports: Imports,
  ) {}

  @Describe({
    summary: 'Imports devices, a line each; the same import again goes on where it was cut off.',
    answers: { 200: DeviceImport },
    body: { types: ['text/csv', 'application/x-ndjson'] },
    problems: [
      'provisioning.device_conflict',
      'provisioning.import_conflict',
      'provisioning.import_not_found',
      'provisioning.import_running',
      'provisioning.manufacturer_not_found',
      'request.timeout',
      'request.too_many',
    ],
  })
  @Put(':id')
  @On('operator')
  @RequireOperator('device:write')
  @StreamedBody({ maxBytes: MAX_BYTES, idleMs: IDLE_MS })
  async put(
    @PathParam('id', ImportId) importId: ImportId,
    @Req() request: FastifyRequest,
    @Admitted() { subject }: OperatorAdmission,
  ) {
    const format = formatOf(mediaType(request));
    if (!format) {
      throw new DomainError('request.unsupported_media_type', { detail: `send text/csv or ${NDJSON}` });
    }
    return importDocument(await this.run.run(importId, format, openBody(request), subject));
  }

  @Describe({
    summary: 'All imports.',
    answers: { 200: DeviceImportList },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list() {
    return { items: (await this.imports.all()).map(importDocument), next: null };
  }

  @Describe({
    summary: 'An import and how far it is.',
    answers: { 200: DeviceImport },
    problems: ['provisioning.import_not_found'],
  })
  @Get(':id')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('id', ImportId) importId: ImportId) {
    return importDocument(await this.imports.find(importId));
  }

  /** A page; with `Accept: application/x-ndjson` all of them from `after` on, a line each. */
  @Describe({
    summary: 'What became of the lines of an import; all of them at once as NDJSON.',
    answers: { 200: { schema: ImportLinePage, types: ['application/json', 'application/x-ndjson'] } },
    problems: ['provisioning.import_line_changed', 'provisioning.import_not_found'],
  })
  @Get(':id/lines')
  @On('operator')
  @RequireOperator('device:read')
  async lines(
    @PathParam('id', ImportId) importId: ImportId,
    @QueryParams(LineQuery) query: LineQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.imports.find(importId);
    reply.header('vary', 'accept');
    if (request.headers.accept?.includes(NDJSON)) {
      return new StreamableFile(Readable.from(this.everyLine(importId, query)), { type: NDJSON });
    }
    const rows = await this.imports.lines(importId, query);
    const items = rows.slice(0, query.limit);
    return { items: items.map(lineDocument), next: rows.length > items.length ? String(items.at(-1)?.line) : null };
  }

  private async *everyLine(importId: ImportId, query: LineQuery): AsyncGenerator<string, void> {
    let after = query.after;
    for (;;) {
      const page = await this.imports.lines(importId, { ...query, limit: 1000, after });
      if (page.length > 0)
        yield page
          .slice(0, 1000)
          .map((line) => `${JSON.stringify(lineDocument(line))}\n`)
          .join('');
      if (page.length <= 1000) return;
      after = page[999]?.line;
    }
  }
}
