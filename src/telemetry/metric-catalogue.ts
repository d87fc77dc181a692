/** Every metric that wimds exposes: name, type, labels and meaning. docs/metrics.md holds this table. */

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Every label has a bounded set of values: none of them comes from a request unchecked. */
  readonly labels: readonly string[]
  readonly help: string
}

export const METRICS = {
  wimds_requests_total: {
    type: 'counter',
    labels: ['dialect', 'code', 'client'],
    help: 'Requests answered, by dialect, error code (ok: none) and family of the client.',
  },
  wimds_client_requests_total: {
    type: 'counter',
    labels: ['client', 'version'],
    help: 'Requests by family and version of the client library; other: versions past the limit.',
  },
  wimds_client_last_seen_timestamp_seconds: {
    type: 'gauge',
    labels: ['client', 'version'],
    help: 'When a client of this family and version last called, in Unix time.',
  },
  wimds_token_cache_results_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Token requests by how the cache answered: hit, miss, coalesced (waited for another request’s exchange), refused (a remembered failure) or bypassed (the caller wanted a new token); and refreshed: tokens renewed while nobody waited.',
  },
  wimds_exchange_duration_seconds: {
    type: 'histogram',
    labels: ['code'],
    help: 'Time of exchanges with Entra ID, by error code (ok: none).',
  },
  wimds_exchange_consecutive_failures: {
    type: 'gauge',
    labels: ['identity'],
    help: 'The most failures in a row of one token of the identity; 0 when all were last obtained.',
  },
  wimds_tokens_cached: {
    type: 'gauge',
    labels: [],
    help: 'Access tokens held.',
  },
  wimds_tokens_failing: {
    type: 'gauge',
    labels: [],
    help: 'Tokens wanted that could not be obtained or renewed at the last try, held ones included.',
  },
  wimds_token_remaining_seconds: {
    type: 'gauge',
    labels: ['identity', 'resource'],
    help: 'Life left of a held token; the shortest for resource other, which stands for all that the configuration does not name.',
  },
  wimds_assertion_readable: {
    type: 'gauge',
    labels: ['file'],
    help: 'Whether the projected token file could be read and parsed at the last look.',
  },
  wimds_assertion_remaining_seconds: {
    type: 'gauge',
    labels: ['file'],
    help: 'Life left of the projected token; negative after its end, absent while it cannot be read.',
  },
  wimds_clock_skew_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How far the local clock is ahead of Entra ID’s; absent before the first exchange.',
  },
  wimds_ready: {
    type: 'gauge',
    labels: [],
    help: 'Whether /readyz says yes.',
  },
  wimds_config_last_reload_successful: {
    type: 'gauge',
    labels: [],
    help: 'Whether the last reading of the configuration succeeded.',
  },
  wimds_config_last_reload_timestamp_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When the configuration in force was read, in Unix time.',
  },
  wimds_log_lines_dropped_total: {
    type: 'counter',
    labels: ['event'],
    help: 'Log lines left out because the same event repeated too often.',
  },
  wimds_event_loop_lag_seconds: {
    type: 'gauge',
    labels: [],
    help: 'The longest delay of a timer that fires every second, over the last minute.',
  },
  wimds_build_info: {
    type: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; the labels say what runs.',
  },
  process_cpu_seconds_total: {
    type: 'counter',
    labels: [],
    help: 'Processor time used, user and system.',
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Resident memory.',
  },
  process_start_time_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When the process started, in Unix time.',
  },
  process_open_fds: {
    type: 'gauge',
    labels: [],
    help: 'Open file descriptors; absent where the system does not say.',
  },
  nodejs_heap_used_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Memory in use on the JavaScript heap.',
  },
} as const satisfies Record<string, MetricDefinition>

export type MetricName = keyof typeof METRICS
