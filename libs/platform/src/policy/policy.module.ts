import { Module } from '@nestjs/common';
import { Policies } from './policies.store.js';
import { PolicyReports } from './policy-reports.service.js';

/** For the services that decide by policies. */
@Module({ providers: [PolicyReports, Policies], exports: [Policies] })
export class PolicyModule {}
