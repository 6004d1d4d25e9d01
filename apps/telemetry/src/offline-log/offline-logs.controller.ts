import { Controller, Get, HttpCode, Post, Put, Req, UseInterceptors } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { AdmitToken, Admitted, type VehicleAdmission } from '@outrider/platform/admission';
import { bodyBytes, JsonBody, mediaType, On, PathParam, peerOf } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Sender } from '../ingest/sender.js';
import { leastRecords } from '../limits/least-records.js';
import { Limits } from '../limits/limits.service.js';
import { RateLimitFields } from '../limits/rate-limit.interceptor.js';
import { OrderId } from './fetch-order.js';
import { LogHeads } from './log-heads.service.js';
import { HeadKnown, LogAccepted, LogUpload } from './offline-log-answers.js';
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

  @Describe({
    summary: 'Begins, or goes on with, the upload that answers a fetch order.',
    answers: { 200: { schema: LogUpload, headers: ['RateLimit'] } },
    headers: ['DPoP'],
    problems: [
      'request.too_many',
      'telemetry.order_cancelled',
      'telemetry.order_expired',
      'telemetry.order_not_found',
      'telemetry.order_used',
    ],
  })
  @Post('offline-logs')
  @HttpCode(200)
  @On('vehicle')
  @AdmitToken(BACKFILL)
  begin(@Req() request: FastifyRequest, @Admitted() vehicle: VehicleAdmission, @JsonBody(Begin) { order }: Begin) {
    this.limits.take(vehicle.deviceId, 1);
    return this.uploads.begin(senderOf(request, vehicle), order);
  }

  @Describe({
    summary: 'An upload and how much of it is here.',
    answers: { 200: { schema: LogUpload, headers: ['RateLimit'] } },
    headers: ['DPoP'],
    problems: ['request.too_many', 'telemetry.upload_not_found'],
  })
  @Get('offline-logs/:upload')
  @On('vehicle')
  @AdmitToken(BACKFILL)
  show(@Admitted() { deviceId }: VehicleAdmission, @PathParam('upload', UploadId) upload: string) {
    this.limits.take(deviceId, 1);
    return this.uploads.show(deviceId, upload);
  }

  @Describe({
    summary: 'Brings a segment.',
    answers: { 200: { schema: LogUpload, headers: ['RateLimit'] } },
    body: { types: ['application/json', 'application/cbor-seq', 'application/cose'] },
    headers: ['DPoP'],
    problems: [
      'request.too_many',
      'telemetry.log_malformed',
      'telemetry.order_cancelled',
      'telemetry.order_expired',
      'telemetry.order_not_found',
      'telemetry.order_used',
      'telemetry.upload_conflict',
      'telemetry.upload_not_found',
    ],
  })
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

  @Describe({
    summary: 'Ends the upload: the log is verified and taken whole or not at all.',
    answers: { 200: { schema: LogAccepted, headers: ['RateLimit'] } },
    body: { types: ['application/json'] },
    headers: ['DPoP'],
    problems: [
      'request.too_many',
      'service.overloaded',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'telemetry.bad_signature',
      'telemetry.invalid',
      'telemetry.log_bad_signature',
      'telemetry.log_chain_broken',
      'telemetry.log_conflict',
      'telemetry.log_edited',
      'telemetry.log_foreign',
      'telemetry.log_gap',
      'telemetry.log_incomplete',
      'telemetry.log_malformed',
      'telemetry.log_reordered',
      'telemetry.log_wrong_nonce',
      'telemetry.order_cancelled',
      'telemetry.order_expired',
      'telemetry.order_not_found',
      'telemetry.order_used',
      'telemetry.replayed',
      'telemetry.unknown_kid',
      'telemetry.upload_not_found',
      'telemetry.wrong_device',
    ],
  })
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

  @Describe({
    summary: 'Brings the head of a segment, which is an anchor for what lies before it.',
    answers: { 200: { schema: HeadKnown, headers: ['RateLimit'] } },
    body: { types: ['application/json', 'application/cbor-seq', 'application/cose'] },
    headers: ['DPoP'],
    problems: [
      'request.too_many',
      'service.upstream_invalid',
      'service.upstream_unavailable',
      'telemetry.bad_signature',
      'telemetry.log_bad_signature',
      'telemetry.log_chain_broken',
      'telemetry.log_conflict',
      'telemetry.log_edited',
      'telemetry.log_foreign',
      'telemetry.log_gap',
      'telemetry.log_malformed',
      'telemetry.log_reordered',
      'telemetry.log_wrong_nonce',
      'telemetry.unknown_kid',
      'telemetry.wrong_device',
    ],
  })
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
