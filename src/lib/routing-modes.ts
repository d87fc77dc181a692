/** The routing modes, for settings, flags and annotations. */
export const ROUTING_MODES = ['env', 'loopback', 'nft', 'node'] as const

/** How requests of the app reach the sidecar; docs/kubernetes.md compares them. */
export type RoutingMode = (typeof ROUTING_MODES)[number]
