/** The sidecar's default ports and uid, on which injection, redirect, probes and the images agree. */

/** The port on 127.0.0.1. */
export const DEFAULT_PORT = 8000

/** The port of health, metrics and status, on all addresses. */
export const DEFAULT_ADMIN_PORT = 9169

/** The uid of the user `wimds` of the images. */
export const DEFAULT_UID = 1501
