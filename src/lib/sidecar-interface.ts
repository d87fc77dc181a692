/** What the other floors know of the sidecar: its ports, uid, token paths and routing modes. */

/**
 * The port on 127.0.0.1: no known program's own, and outside the range from which the kernel chooses ports for applications.
 */
export const DEFAULT_PORT = 64_169

/** The port of health, metrics and status, on all addresses. */
export const DEFAULT_ADMIN_PORT = 9169

/** The uid of the user `wimds` of the images. */
export const DEFAULT_UID = 1501

/** The paths at which the sidecar answers token requests, by protocol. `app.ts` of its server takes other spellings of them. */
export const TOKEN_PATHS = {
  imds: '/metadata/identity/oauth2/token',
  /** Served only with the secret `WIMDS_IDENTITY_HEADER`. */
  appService: '/msi/token',
  cloudShell: '/oauth2/token',
} as const

/** The modes of a pod with a sidecar. */
export const SIDECAR_MODES = ['env', 'loopback', 'nft'] as const

/** How requests of the app reach its sidecar. */
export type SidecarMode = (typeof SIDECAR_MODES)[number]

export const ROUTING_MODES = [...SIDECAR_MODES, 'node'] as const

/** How requests of the app reach the sidecar; docs/kubernetes.md compares them. */
export type RoutingMode = (typeof ROUTING_MODES)[number]
