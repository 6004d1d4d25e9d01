import { randomUUID } from 'node:crypto';
import { Controller, Get, Headers, HttpCode, Post } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, keyedId, On, PathParam, QueryParams, requireSameRequest } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { Database } from '@outrider/platform/postgres';
import { z } from 'zod';
import {
  asksTheSame,
  cursorOf,
  RotationBody,
  RotationQuery,
  RotationsQuery,
  rotationDocument,
  stragglerDocument,
  wavesOf,
} from './rotation.js';
import { Rotation, RotationDetail, RotationPage } from './rotation-answers.js';
import { type NewRotation, Rotations } from './rotations.repository.js';

@Controller('/v1/rotations')
export class RotationsController {
  constructor(
    private readonly database: Database,
    private readonly rotations: Rotations,
  ) {}

  @Describe({
    summary: 'Asks many vehicles to renew, in waves.',
    answers: { 201: Rotation },
    headers: ['Idempotency-Key'],
    problems: ['provisioning.rotation_empty', 'request.idempotency_mismatch'],
  })
  @Post()
  @HttpCode(201)
  @On('operator')
  @RequireOperator('device:write')
  async start(
    @JsonBody(RotationBody) body: RotationBody,
    @Headers('idempotency-key') key: string | undefined,
    @Admitted() operator: OperatorAdmission,
  ) {
    const keyed = keyedId(key, operator.subject, 'rotation');
    const rotation = {
      rotationId: keyed ?? randomUUID(),
      label: body.label ?? null,
      estLabel: body.est_label ?? null,
      withinSeconds: body.within_seconds,
      waves: wavesOf(body),
      reason: body.reason,
      createdBy: operator.subject,
      startedAt: new Date(),
    };
    const selected = await this.database.transaction(async (tx) =>
      keyed && (await this.rotations.isThere(tx, keyed)) ? undefined : this.rotations.add(tx, rotation),
    );
    if (selected === undefined) return this.again(rotation);
    if (selected === 0) throw new DomainError('provisioning.rotation_empty');
    const none = { renewed: 0, gone: 0, cancelledAt: null, cancelledBy: null };
    return rotationDocument({ ...rotation, ...none, selected }, new Date());
  }

  @Describe({
    summary: 'Rotations, the newest first.',
    answers: { 200: RotationPage },
  })
  @Get()
  @On('operator')
  @RequireOperator('device:read')
  async list(@QueryParams(RotationsQuery) query: RotationsQuery) {
    const rows = await this.rotations.page(query);
    const items = rows.slice(0, query.limit);
    const last = items.at(-1);
    return {
      items: items.map((row) => rotationDocument(row, new Date())),
      next: rows.length > items.length && last ? cursorOf(last.startedAt.toISOString()) : null,
    };
  }

  @Describe({
    summary: 'A rotation, and who has not renewed yet.',
    answers: { 200: RotationDetail },
    problems: ['provisioning.rotation_not_found'],
  })
  @Get(':id')
  @On('operator')
  @RequireOperator('device:read')
  async show(@PathParam('id', z.uuid()) id: string, @QueryParams(RotationQuery) query: RotationQuery) {
    const now = new Date();
    const rotation = required(await this.rotations.find(id), id);
    const rows = await this.rotations.stragglers(id, query, now);
    const items = rows.slice(0, query.limit);
    const last = items.at(-1);
    const next = rows.length > items.length && last ? cursorOf(last.deviceId) : null;
    return { ...rotationDocument(rotation, now), stragglers: { items: items.map(stragglerDocument), next } };
  }

  @Describe({
    summary: 'Ends a rotation.',
    answers: { 200: Rotation },
    problems: ['provisioning.rotation_not_found'],
  })
  @Post(':id/cancel')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('device:write')
  async cancel(@PathParam('id', z.uuid()) id: string, @Admitted() operator: OperatorAdmission) {
    await this.rotations.cancel(id, operator.subject, new Date());
    return rotationDocument(required(await this.rotations.find(id), id), new Date());
  }

  /** As it is by now. */
  private async again(asked: NewRotation) {
    const made = required(await this.rotations.find(asked.rotationId), asked.rotationId);
    requireSameRequest(asksTheSame(made, asked));
    return rotationDocument(made, new Date());
  }
}

function required<T>(rotation: T | undefined, id: string): T {
  if (!rotation) throw new DomainError('provisioning.rotation_not_found', { detail: id });
  return rotation;
}
