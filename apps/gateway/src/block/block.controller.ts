import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { Admitted, type OperatorAdmission, RequireOperator } from '@outrider/platform/admission';
import { JsonBody, On, QueryParams } from '@outrider/platform/http';
import { type BlockAnswer, BlockService } from './block.service.js';
import { BlockBody, BlockQuery, UnblockBody } from './block-request.js';
import { Blocks } from './blocks.repository.js';

const DEFAULT_LIMIT = 100;

@Controller()
export class BlockController {
  constructor(
    private readonly service: BlockService,
    private readonly blocks: Blocks,
  ) {}

  @Post('/admin/block')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('gateway:block')
  block(
    @JsonBody(BlockBody, { alsoAsForm: true }) body: BlockBody,
    @Admitted() operator: OperatorAdmission,
  ): Promise<BlockAnswer> {
    return this.service.block(body, operator, new Date());
  }

  @Post('/admin/unblock')
  @HttpCode(200)
  @On('operator')
  @RequireOperator('gateway:block')
  unblock(
    @JsonBody(UnblockBody, { alsoAsForm: true }) body: UnblockBody,
    @Admitted() operator: OperatorAdmission,
  ): Promise<BlockAnswer> {
    return this.service.unblock(body, operator, new Date());
  }

  @Get('/v1/blocks')
  @On('operator')
  @RequireOperator('gateway:block')
  async list(@QueryParams(BlockQuery) { after, limit = DEFAULT_LIMIT }: BlockQuery) {
    const found = await this.blocks.list(after, limit + 1);
    const items = found.slice(0, limit).map((block) => ({
      device_id: block.deviceId,
      mode: block.mode,
      reason: block.reason,
      by: block.changedBy,
      at: block.changedAt.toISOString(),
      delivered: block.deliveredVersion === block.version,
    }));
    return { items, next: found.length > limit ? (items.at(-1)?.device_id ?? null) : null };
  }
}
