/** The routing modes, for settings, flags and annotations. */
export const ROUTING_MODES = ['env', 'loopback', 'nft'] as const

/** How requests of the app reach the sidecar; docs/kubernetes.md compares the three. */
export type RoutingMode = (typeof ROUTING_MODES)[number]
