/**
 * The names of the events in the logs of all programs. They are an interface: people search, count and alert on them.
 * docs/logs.md describes each.
 */
export type LogEvent =
  | 'assertion_failed'
  | 'assertion_loaded'
  | 'broker_ended'
  | 'broker_output'
  | 'certificate_loaded'
  | 'clock_skew'
  | 'config_reload_failed'
  | 'config_reloaded'
  | 'config_warning'
  | 'draining'
  | 'exchange_failed'
  | 'listen_failed'
  | 'listening'
  | 'log_output_stalled'
  | 'log_rate_limited'
  | 'node_agent_error'
  | 'node_broker_error'
  | 'pod_not_routed'
  | 'pod_not_served'
  | 'pod_rejected'
  | 'pod_routed'
  | 'predecessor_found'
  | 'ready'
  | 'request_rejected'
  | 'shutdown_complete'
  | 'token_obtained'
  | 'token_served'
  | 'webhook_error'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
