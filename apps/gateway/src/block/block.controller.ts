import { Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, peerOf, QueryParams } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import type { FastifyRequest } from 'fastify';
import { type BlockAnswer, BlockService } from './block.service.js';
import { BlockDone, BlockHistoryPage, BlockPage } from './block-answers.js';
import { blockPage, historyPage } from './block-page.js';
import { BlockBody, BlockHistoryQuery, BlockQuery, UnblockBody } from './block-request.js';
import { targetOf } from './block-target.js';
import { Blocks } from './blocks.repository.js';

const DEFAULT_LIMIT = 100;

@Controller()
export class BlockController {
  constructor(
    private readonly service: BlockService,
    private readonly blocks: Blocks,
  ) {}

  @Describe({
    summary: 'Takes a device, a certificate, a token or a network out of service; it can be taken back.',
    answers: { 200: BlockDone },
    problems: [
      'gateway.network_refused',
      'gateway.reason_required',
      'gateway.target_conflict',
      'gateway.target_missing',
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
  @Post('/admin/block')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('gateway:block', {}, { unlimited: true })
  block(
    @JsonBody(BlockBody, { alsoAsForm: true }) body: BlockBody,
    @Admitted() operator: OperatorAdmission,
    @Req() request: FastifyRequest,
  ): Promise<BlockAnswer> {
    const { remoteAddress } = peerOf(request.raw);
    return this.service.block(body, { ...operator, remoteAddress }, new Date());
  }

  @Describe({
    summary: 'Takes a block back.',
    answers: { 200: BlockDone },
    problems: [
      'gateway.network_refused',
      'gateway.not_blocked',
      'gateway.reason_required',
      'gateway.reprovision_required',
      'gateway.target_missing',
      'policy.denied',
      'policy.invalid',
      'policy.unavailable',
      'service.upstream_invalid',
      'service.upstream_unavailable',
    ],
  })
  @Post('/admin/unblock')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('gateway:block')
  unblock(
    @JsonBody(UnblockBody, { alsoAsForm: true }) body: UnblockBody,
    @Admitted() operator: OperatorAdmission,
    @Req() request: FastifyRequest,
  ): Promise<BlockAnswer> {
    const { remoteAddress } = peerOf(request.raw);
    return this.service.unblock(body, { ...operator, remoteAddress }, new Date());
  }

  @Describe({
    summary: 'The blocks in force.',
    answers: { 200: BlockPage },
  })
  @Get('/v1/blocks')
  @On('operator')
  @RequireOperator('gateway:block')
  async list(@QueryParams(BlockQuery) { kind, after, limit = DEFAULT_LIMIT }: BlockQuery) {
    return blockPage(await this.blocks.list(kind, after, limit + 1), limit);
  }

  @Describe({
    summary: 'Every block and unblock, the newest first.',
    answers: { 200: BlockHistoryPage },
    problems: ['gateway.network_refused', 'gateway.target_missing'],
  })
  @Get('/v1/blocks/history')
  @On('operator')
  @RequireOperator('gateway:block')
  async history(@QueryParams(BlockHistoryQuery) { after, limit = DEFAULT_LIMIT, ...named }: BlockHistoryQuery) {
    const isOfOne = Object.values(named).some((value) => value !== undefined);
    const target = isOfOne ? targetOf(named) : undefined;
    return historyPage(await this.blocks.history(target, after, limit + 1), limit);
  }
}
