/** The events that the sidecar logs. */

/** Every event. The names are an interface: people search, count and alert on them (docs/logs.md). */
export const EVENTS = {
  config_warning: 'A setting is valid but probably wrong; message says which.',
  listening: 'The servers accept connections; addresses and adminAddresses list the ports.',
  listen_failed: 'An address could not be bound; the process exits with code 1.',
  ready: 'A valid projected token has been read: /readyz answers 200 from now on.',
  assertion_loaded: 'The projected token was read for the first time, or was rotated.',
  assertion_audience_unexpected:
    'As assertion_loaded, but the audience is not the one that most clouds expect.',
  assertion_failed: 'The projected token cannot be read; code and message say why.',
  config_reloaded: 'The identities file has changed, and its identities are in force.',
  config_reload_failed:
    'The identities file has changed and is not valid, or could not be applied; message says why. The old identities stay in force.',
  token_obtained:
    'Entra ID issued an access token for identity and scope; uti identifies it in the sign-in logs.',
  token_served:
    'A client library got this token for the first time; only if WIMDS_AUDIT_LOG is true.',
  clock_skew: 'The local clock differs from that of Entra ID by more than five minutes.',
  exchange_failed: 'An exchange with Entra ID failed; code, message and aadsts explain it.',
  refresh_failed:
    'A cached token could not be refreshed and is still served; it expires in tokenLeftSeconds.',
  request_rejected: 'A caller got an error; code says which, client which library called.',
  log_level_changed: 'The log level was changed on the admin port.',
  log_rate_limited: 'Lines of droppedEvent were dropped because it was logged too often.',
  draining: 'The process was asked to stop: it finishes the requests in flight.',
  shutdown_complete: 'Shutdown complete; the last line.',
  crashed: 'Unhandled error; the process exits with code 1. Written to standard error.',
} as const

/** The events that only the webhook logs. */
type WebhookEventName = 'certificate_loaded' | 'pod_rejected' | 'webhook_error'

/** The events that only the node agent logs. */
type NodeAgentEventName = 'pod_routed' | 'pod_not_routed' | 'broker_ended' | 'node_agent_error'

/** The events that only the node broker logs. */
type NodeBrokerEventName = 'pod_served' | 'pod_not_served' | 'node_broker_error'

export type EventName =
  keyof typeof EVENTS | WebhookEventName | NodeAgentEventName | NodeBrokerEventName
