/** The ports, uid, token paths and routing modes of the sidecar, for all floors. */

/**
 * The port on 127.0.0.1. No known program uses it, and it is outside the range from which the kernel chooses ports for
 * applications.
 */
export const DEFAULT_PORT = 64_169

/** The port of health, metrics and status, on all addresses. */
export const DEFAULT_ADMIN_PORT = 9169

/** The uid of the user `wimds` of the images. */
export const DEFAULT_UID = 1501

/** The paths at which the sidecar answers token requests, by protocol. `broker/server/app.ts` also accepts other spellings. */
export const TOKEN_PATHS = {
  imds: '/metadata/identity/oauth2/token',
  /** Served only with the secret `WIMDS_IDENTITY_HEADER`. */
  appService: '/msi/token',
  cloudShell: '/oauth2/token',
} as const

/** The modes of a pod with a sidecar. */
export const SIDECAR_MODES = ['env', 'loopback', 'nft'] as const

/** The ways of requests from an app to its sidecar. */
export type SidecarMode = (typeof SIDECAR_MODES)[number]

export const ROUTING_MODES = [...SIDECAR_MODES, 'node'] as const

/** The routing modes, by which requests of the app reach wimds; docs/kubernetes.md compares them. */
export type RoutingMode = (typeof ROUTING_MODES)[number]
