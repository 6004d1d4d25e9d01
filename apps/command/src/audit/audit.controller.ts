import { Controller, Get } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CommandId } from '@outrider/ids';
import { RequireOperator } from '@outrider/platform/admission';
import { On, PathParam } from '@outrider/platform/http';
import { Describe } from '@outrider/platform/openapi';
import { Batches } from '../batch/batches.repository.js';
import { Commands } from '../command/commands.repository.js';
import { Outcomes } from '../outcome/outcomes.repository.js';
import { CommandAudit } from './audit-answers.js';
import { auditDocument } from './command-audit.js';

@Controller()
export class AuditController {
  constructor(
    private readonly commands: Commands,
    private readonly outcomes: Outcomes,
    private readonly batches: Batches,
  ) {}

  @Describe({
    summary: 'The evidence of one command: each step with who and why, the signed command and the signed outcome.',
    answers: { 200: CommandAudit },
    problems: ['command.not_found'],
  })
  @Get('/v1/commands/:id/audit')
  @On('operator')
  @RequireOperator('evidence:read')
  async audit(@PathParam('id', CommandId) id: CommandId) {
    const [command, history, outcome] = await Promise.all([
      this.commands.find(id),
      this.commands.history(id),
      this.outcomes.find(id),
    ]);
    if (!command) throw new DomainError('command.not_found');
    const batch = command.batchId ? await this.batches.history(command.batchId) : undefined;
    return auditDocument(command, { history, outcome, batch });
  }
}
