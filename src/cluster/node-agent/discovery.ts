/** The ways to find the network namespace of a pod. */

/** Files that the container runtime keeps, or processes of the pod. */
export const DISCOVERIES = ['netns', 'processes'] as const
export type Discovery = (typeof DISCOVERIES)[number]
