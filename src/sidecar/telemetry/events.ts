/** The events that the sidecar logs. */

/** The names are an interface: people search, count and alert on them. docs/logs.md describes each. */
export const EVENTS = [
  'config_warning',
  'listening',
  'listen_failed',
  'ready',
  'assertion_loaded',
  'assertion_audience_unexpected',
  'assertion_failed',
  'config_reloaded',
  'config_reload_failed',
  'token_obtained',
  'token_served',
  'clock_skew',
  'exchange_failed',
  'refresh_failed',
  'request_rejected',
  'log_rate_limited',
  'draining',
  'shutdown_complete',
  'crashed',
] as const

/** The events that only the webhook logs. */
type WebhookEventName = 'certificate_loaded' | 'pod_rejected' | 'webhook_error'

/** The events that only the node agent logs. */
type NodeAgentEventName = 'pod_routed' | 'pod_not_routed' | 'broker_ended' | 'node_agent_error'

/** The events that only the node broker logs. */
type NodeBrokerEventName = 'pod_served' | 'pod_not_served' | 'node_broker_error'

export type EventName =
  (typeof EVENTS)[number] | WebhookEventName | NodeAgentEventName | NodeBrokerEventName
