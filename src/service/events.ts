/**
 * The names of the events in the logs of all programs. They are an interface: people search, count and alert on them.
 * `npm run docs:telemetry` writes docs/logs.md from this file.
 */

/** Events of every process. */
type ProcessEvent =
  /** The servers accept connections; the other fields name the ports or the node. */
  | 'listening'
  /** An address could not be bound; the process exits with code 1. */
  | 'listen_failed'
  /** The rate limit dropped count lines of droppedEvent; in the webhook and on nodes, lines about this namespace. */
  | 'log_rate_limited'
  /** Standard output was blocked, and count lines were dropped. */
  | 'log_output_stalled'
  /** The process was asked to stop: it finishes the requests in flight. The node agent does not write this. */
  | 'draining'
  /** The last line. */
  | 'shutdown_complete'
  /** Nothing caught an error; the process exits with code 1. Written to standard error. */
  | 'crashed'

/** Events of the sidecar. */
type SidecarEvent =
  /** A setting, or a variable of the webhook's --env, is valid but probably wrong; message says which. */
  | 'config_warning'
  /** A valid projected token has been read: /readyz answers 200 from now on. */
  | 'ready'
  /** The projected token was read for the first time, or was rotated. */
  | 'assertion_loaded'
  /** The projected token cannot be read; code and message say why. */
  | 'assertion_failed'
  /** The identities file has changed, and its identities are in force. */
  | 'config_reloaded'
  /**
   * The identities file has changed, but is not valid or could not be applied; message says why. The old identities stay in
   * force.
   */
  | 'config_reload_failed'
  /** Entra ID issued an access token for identity and scope; uti identifies it in the sign-in logs. */
  | 'token_obtained'
  /** A client library got this token for the first time; only if WIMDS_AUDIT_LOG is true. */
  | 'token_served'
  /** The local clock differs from Entra ID's by more than five minutes. */
  | 'clock_skew'
  /**
   * An exchange with Entra ID failed; code, message and aadsts explain it. With tokenLeftSeconds a cached token is still served
   * until it expires.
   */
  | 'exchange_failed'
  /** A caller got the error code; client is the calling library, and clientId and resource are from the request. */
  | 'request_rejected'

/** Events of the webhook. */
type WebhookEvent =
  /** A new certificate, valid until expiresAt, or changed client CAs are in force. */
  | 'certificate_loaded'
  /** A pod was rejected; outcome says whether the pod or the cluster is the cause, message why. */
  | 'pod_rejected'
  /** The API server, the certificate, the client CAs or a review failed; earlier client CAs stay in force. */
  | 'webhook_error'

/** Events of the node agent. */
type NodeAgentEvent =
  /** An earlier agent serves the pods of the node until this one has fetched its tokens. */
  | 'predecessor_found'
  /** A pod is served, durationMs after its sandbox was first seen. */
  | 'pod_routed'
  /** A pod is not served; reason and message say why. The agent retries, and records an event of the pod. */
  | 'pod_not_routed'
  /** A broker has ended; message says why. The agent starts it again, and gives it all pods. */
  | 'broker_ended'
  /** A broker has printed message, which is not a log line. */
  | 'broker_output'
  /** The API server could not be read, an event could not be written, or the node has no cgroup v2 for brokers. */
  | 'node_agent_error'

/** Events of the node broker. */
type NodeBrokerEvent =
  /** The settings of a pod are invalid; message says why. A corrected identities file takes effect within two seconds. */
  | 'pod_not_served'
  /** A message of the node agent could not be handled. */
  | 'node_broker_error'

export type LogEvent = ProcessEvent | SidecarEvent | WebhookEvent | NodeAgentEvent | NodeBrokerEvent

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
