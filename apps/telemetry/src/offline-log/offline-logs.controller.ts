import { Controller, Get, HttpCode, Post, Put, Req, UseInterceptors } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, mediaType, On, PathParam, peerOf } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Sender } from '../ingest/sender.js';
import { leastRecords } from '../limits/least-records.js';
import { Limits } from '../limits/limits.service.js';
import { RateLimitFields } from '../limits/rate-limit.interceptor.js';
import { OrderId } from './fetch-order.js';
import { LogHeads } from './log-heads.service.js';
import { TakeIn } from './take-in.service.js';
import { MAX_UPLOAD_SEGMENTS, Uploads } from './uploads.service.js';

const Begin = z.strictObject({ order: OrderId });
type Begin = z.output<typeof Begin>;
const Part = z.coerce.number().int().min(0).max(MAX_UPLOAD_SEGMENTS);
const UploadId = z.uuid();
const BACKFILL = { scopes: ['telemetry:backfill'], recovery: true };

/** The vehicle's side of offline logs (docs/protocols/offline-log.md). */
@Controller('/v1/telemetry')
@UseInterceptors(RateLimitFields)
export class OfflineLogsController {
  constructor(
    private readonly uploads: Uploads,
    private readonly taking: TakeIn,
    private readonly heads: LogHeads,
    private readonly limits: Limits,
  ) {}

  @Post('offline-logs')
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken(BACKFILL)
  begin(@Req() request: FastifyRequest, @Admitted() vehicle: VehicleAdmission, @JsonBody(Begin) { order }: Begin) {
    this.limits.take(vehicle.deviceId, 1);
    return this.uploads.begin(senderOf(request, vehicle), order);
  }

  @Get('offline-logs/:upload')
  @On('vehicle')
  @AdmitToken(BACKFILL)
  show(@Admitted() { deviceId }: VehicleAdmission, @PathParam('upload', UploadId) upload: string) {
    this.limits.take(deviceId, 1);
    return this.uploads.show(deviceId, upload);
  }

  @Put('offline-logs/:upload/segments/:part')
  @On('vehicle')
  @AdmitToken(BACKFILL)
  append(
    @Req() request: FastifyRequest,
    @Admitted() vehicle: VehicleAdmission,
    @PathParam('upload', UploadId) upload: string,
    @PathParam('part', Part) part: number,
  ) {
    return this.uploads.append(senderOf(request, vehicle), upload, part, this.counted(vehicle, segmentBytes(request)));
  }

  @Post('offline-logs/:upload/finish')
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken(BACKFILL)
  finish(
    @Req() request: FastifyRequest,
    @Admitted() vehicle: VehicleAdmission,
    @PathParam('upload', UploadId) upload: string,
  ) {
    return this.taking.finish(senderOf(request, vehicle), upload, this.counted(vehicle, jsonBytes(request)));
  }

  @Post('log-heads')
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken({ scopes: ['telemetry:write', 'telemetry:backfill'] })
  announce(@Req() request: FastifyRequest, @Admitted() vehicle: VehicleAdmission) {
    return this.heads.announce(senderOf(request, vehicle), this.counted(vehicle, segmentBytes(request)));
  }

  /** Against the same limit as live telemetry: what a log brings is stored too. @throws DomainError `request.too_many` */
  private counted({ deviceId }: VehicleAdmission, bytes: Uint8Array): Uint8Array {
    this.limits.take(deviceId, leastRecords(bytes.length));
    return bytes;
  }
}

function senderOf(request: FastifyRequest, { deviceId, certificate, claims }: VehicleAdmission): Sender {
  return { deviceId, certificate, tokenId: claims.jti, remoteAddress: peerOf(request.raw).remoteAddress };
}

const SEGMENT_TYPES = ['application/json', 'application/cbor-seq', 'application/cose'];

/** A segment as JSON; as a CBOR sequence of a COSE_Sign1 and an array of records; a head alone as COSE. */
function segmentBytes(request: FastifyRequest): Uint8Array {
  if (SEGMENT_TYPES.includes(mediaType(request))) return bodyBytes(request);
  throw new DomainError('request.unsupported_media_type', { detail: `send ${SEGMENT_TYPES.join(', ')}` });
}

function jsonBytes(request: FastifyRequest): Uint8Array {
  if (mediaType(request) !== 'application/json') {
    throw new DomainError('request.unsupported_media_type', { detail: 'send application/json' });
  }
  return bodyBytes(request);
}
