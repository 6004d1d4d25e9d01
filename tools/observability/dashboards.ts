/** The dashboards, in the order in which somebody who was woken looks at them. */
import { type Dashboard, graph, quantile, rate } from './panels.ts';

const REQUESTS = 'outrider_http_request_duration_seconds';
const TELEMETRY = `${REQUESTS}{route="/v1/telemetry",method="POST"}`;

const overview: Dashboard = {
  name: 'overview',
  title: 'overview',
  rows: [
    {
      title: 'Requests (rate, errors, duration)',
      graphs: [
        graph('Requests', 'reqps', [rate(`${REQUESTS}_count`, 'service, listener'), '{{service}} {{listener}}']),
        graph('Answered 5xx', 'percentunit', [
          `${rate(`${REQUESTS}_count{status="5xx"}`, 'service')} / ${rate(`${REQUESTS}_count`, 'service')}`,
          '{{service}}',
        ]),
        graph('Duration, p99, without long polls', 's', [
          quantile(0.99, `${REQUESTS}{route!~".*(next|stream|tail|watch).*"}`, 'service'),
          '{{service}}',
        ]),
        graph('Errors by code', 'reqps', [
          `topk(10, ${rate('outrider_http_errors_total', 'service, code')})`,
          '{{service}} {{code}}',
        ]),
        graph('Under way', 'short', [
          'sum by (service, listener) (outrider_http_requests_in_flight)',
          '{{service}} {{listener}}',
        ]),
        graph('Refused by admission', 'reqps', [
          `topk(10, ${rate('outrider_decisions_total{decision="deny"}', 'service, code')})`,
          '{{service}} {{code}}',
        ]),
      ],
    },
    {
      title: 'Connections',
      graphs: [
        graph('Open', 'short', ['sum by (service) (outrider_connections)', '{{service}}']),
        graph('Handshakes that wait', 'short', [
          'sum by (service, listener) (outrider_handshakes_waiting)',
          '{{service}} {{listener}}',
        ]),
        graph('Refused: limits', 'cps', [
          rate('outrider_connections_refused_total', 'service, limit'),
          '{{service}} {{limit}}',
        ]),
      ],
    },
    {
      title: 'Processes',
      graphs: [
        graph('CPU', 'percentunit', [
          rate('process_cpu_seconds_total{job="outrider"}', 'service, instance'),
          '{{service}} {{instance}}',
        ]),
        graph('Memory', 'bytes', ['process_resident_memory_bytes{job="outrider"}', '{{service}} {{instance}}']),
        graph('Event loop lag, p99', 's', [
          'nodejs_eventloop_lag_p99_seconds{job="outrider"}',
          '{{service}} {{instance}}',
        ]),
      ],
    },
  ],
};

const telemetry: Dashboard = {
  name: 'telemetry',
  title: 'telemetry and commands',
  rows: [
    {
      title: 'Telemetry',
      graphs: [
        graph('Messages by verdict', 'cps', [rate('outrider_telemetry_messages_total', 'verdict'), '{{verdict}}']),
        graph('From request to verdict', 's', [quantile(0.5, TELEMETRY), 'p50'], [quantile(0.99, TELEMETRY), 'p99']),
        graph('Records sharing a commit', 'short', [quantile(0.5, 'outrider_telemetry_batch_records'), 'p50']),
        graph('Records that wait for a commit', 'short', [
          'sum by (instance) (outrider_telemetry_queued_records)',
          '{{instance}}',
        ]),
        graph('Jumps, replays, raised epochs', 'cps', [rate('outrider_telemetry_alerts_total', 'kind'), '{{kind}}']),
        graph('Refused by a rate limit', 'cps', [
          rate('outrider_telemetry_limited_records_total', 'limit'),
          '{{limit}}',
        ]),
      ],
    },
    {
      title: 'Commands',
      graphs: [
        graph('Accepted', 'cps', [rate('outrider_commands_accepted_total', 'command'), '{{command}}']),
        graph('Became', 'cps', [rate('outrider_command_transitions_total', 'state'), '{{state}}']),
        graph('Wait for their vehicles', 'short', ['max(outrider_backlog_items{queue="commands"})', 'commands']),
      ],
    },
  ],
};

const revocation: Dashboard = {
  name: 'revocation',
  title: 'revocation',
  rows: [
    {
      title: 'From commit to refusal',
      graphs: [
        graph(
          'Enforced everywhere after',
          's',
          [quantile(0.5, 'outrider_revocation_enforced_seconds'), 'p50'],
          [quantile(0.99, 'outrider_revocation_enforced_seconds'), 'p99'],
        ),
        graph('Not within 10 s', 'cps', [rate('outrider_revocation_late_total'), 'late']),
        graph('Age of the list', 's', ['outrider_denylist_age_seconds', '{{service}} {{instance}}']),
        graph('Revision enforced', 'short', ['outrider_denylist_sequence', '{{service}} {{instance}}']),
        graph(
          'Entries',
          'short',
          ['outrider_denylist_entries', '{{service}} {{instance}}'],
          ['outrider_denylist_written_entries', 'written'],
        ),
        graph('Memory of the list', 'bytes', ['outrider_denylist_bytes', '{{service}} {{instance}}']),
      ],
    },
    {
      title: 'Lists, OCSP, jobs',
      graphs: [
        graph(
          'Life of CRLs',
          's',
          ['outrider_crl_expiry_seconds', '{{kind}} left'],
          ['outrider_crl_age_seconds', '{{kind}} age'],
        ),
        graph('OCSP answers', 'reqps', [rate('outrider_ocsp_answers_total', 'answer'), '{{answer}}']),
        graph('Blocks', 'cps', [rate('outrider_block_changes_total', 'change'), '{{change}}']),
        graph('Lines of jobs settled', 'cps', [rate('outrider_revocation_job_lines_total'), 'lines']),
        graph('Jobs under way', 'short', ['max(outrider_backlog_items{queue="revocation_jobs"})', 'jobs']),
      ],
    },
  ],
};

const identities: Dashboard = {
  name: 'identities',
  title: 'provisioning, tokens and CAs',
  rows: [
    {
      title: 'Enrolment',
      graphs: [
        graph('By how they ended', 'cps', [
          rate('outrider_enrolments_total', 'operation, result'),
          '{{operation}} {{result}}',
        ]),
        graph('Wait for their group', 'short', ['sum(outrider_enrolments_waiting)', 'asks']),
        graph('Findings', 'cps', [rate('outrider_findings_total', 'kind'), '{{kind}}']),
      ],
    },
    {
      title: 'Tokens and operators',
      graphs: [
        graph('Issued', 'cps', [rate('outrider_token_issued_total', 'family'), '{{family}}']),
        graph('Refused', 'cps', [rate('outrider_token_refused_total', 'code'), '{{code}}']),
        graph('Attempts to sign in', 'cps', [
          rate('outrider_sign_in_attempts_total', 'what, code'),
          '{{what}} {{code}}',
        ]),
      ],
    },
    {
      title: 'Certificates',
      graphs: [
        graph('Signed', 'cps', [rate('outrider_ca_certificates_issued_total', 'profile'), '{{profile}}']),
        graph('Still good for', 's', ['min by (certificate) (outrider_certificate_expiry_seconds)', '{{certificate}}']),
        graph('Trust taken anew', 'cps', [rate('outrider_trust_reloads_total', 'service'), '{{service}}']),
      ],
    },
  ],
};

const dependencies: Dashboard = {
  name: 'dependencies',
  title: 'NATS and PostgreSQL',
  rows: [
    {
      title: 'PostgreSQL',
      graphs: [
        graph('Connections', 'short', [
          'sum by (service, state) (outrider_postgres_connections)',
          '{{service}} {{state}}',
        ]),
        graph('Work that waits for one', 'short', ['outrider_postgres_waiting', '{{service}} {{instance}}']),
        graph('Of the pool in use', 'percentunit', [
          'sum by (service) (outrider_postgres_connections{state="in_use"}) / sum by (service) (outrider_postgres_connections_max)',
          '{{service}}',
        ]),
        graph('What waits in tables', 'short', [
          'max by (service, queue) (outrider_backlog_items)',
          '{{service}} {{queue}}',
        ]),
        graph('The oldest of it', 's', [
          'max by (service, queue) (outrider_backlog_oldest_seconds)',
          '{{service}} {{queue}}',
        ]),
        graph('Events published', 'cps', [rate('outrider_outbox_published_total', 'service'), '{{service}}']),
      ],
    },
    {
      title: 'NATS',
      graphs: [
        graph('Requests, p99', 's', [
          quantile(0.99, 'outrider_nats_request_duration_seconds', 'service, subject'),
          '{{service}} {{subject}}',
        ]),
        graph('Requests refused or unanswered', 'reqps', [
          rate('outrider_nats_request_duration_seconds_count{code!="ok"}', 'subject, code'),
          '{{subject}} {{code}}',
        ]),
        graph('Answers, p99', 's', [
          quantile(0.99, 'outrider_nats_answer_duration_seconds', 'service, subject'),
          '{{service}} {{subject}}',
        ]),
        graph('Events handled', 'cps', [
          rate('outrider_nats_event_duration_seconds_count', 'service, subject, result'),
          '{{service}} {{subject}} {{result}}',
        ]),
        graph('Events before a consumer', 'short', [
          'max by (service, subject) (outrider_nats_consumer_pending_events)',
          '{{service}} {{subject}}',
        ]),
        graph('Messages set aside', 'cps', [
          rate('outrider_nats_malformed_total', 'service, subject'),
          '{{service}} {{subject}}',
        ]),
      ],
    },
  ],
};

export const DASHBOARDS: readonly Dashboard[] = [overview, telemetry, revocation, identities, dependencies];
