/**
 * Every event that the sidecar logs. The names are an interface: people search, count and alert on
 * them. docs/logs.md holds this table.
 */
export const EVENTS = {
  config_warning: 'A setting that is allowed but most likely not meant; message says which.',
  listening: 'The servers accept connections; addresses and adminAddresses say where.',
  listen_failed: 'An address could not be bound; the process ends with exit code 1.',
  ready: 'A valid projected token has been seen: /readyz says yes from now on.',
  assertion_loaded: 'The projected token was seen for the first time, or has changed.',
  assertion_audience_unexpected:
    'As assertion_loaded, but the audience is not the one that most clouds expect.',
  assertion_failed: 'The projected token cannot be read; code and message say why.',
  config_reloaded: 'The identities file has changed, and its identities are in force.',
  config_reload_failed:
    'The identities file has changed and is not valid; message says why. The old identities stay.',
  token_obtained: 'Entra ID gave an access token for identity and scope.',
  exchange_failed: 'An exchange with Entra ID failed; code, message and aadsts explain it.',
  refresh_failed:
    'A held token could not be renewed and is still served; tokenLeftSeconds is its life.',
  request_rejected: 'A caller got an error; code says which, client who called.',
  log_level_changed: 'The log level was changed at run time, by a signal or on the admin port.',
  log_rate_limited: 'The event of that name repeated too often; count lines of it were left out.',
  draining: 'Asked to end: no new connections, running requests may finish.',
  shutdown_complete: 'Shutdown complete; the last line.',
  crashed:
    'Nothing expected this failure, and the process ends with exit code 1; on standard error.',
} as const

export type EventName = keyof typeof EVENTS
