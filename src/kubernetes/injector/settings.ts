/** What whoever runs the injector decides; a pod's own annotations go before it. */
import type { EnvVar } from './pod.ts'
import type { ResourceSettings } from './resources.ts'

export const ROUTING_MODES = ['env', 'loopback', 'nft'] as const

/** How the app's requests get to the sidecar; docs/kubernetes.md compares the three. */
export type RoutingMode = (typeof ROUTING_MODES)[number]

/** The minor version of Kubernetes 1 with which native sidecars came. */
export const NATIVE_SIDECARS_SINCE = 29

export interface InjectionSettings {
  readonly mode: RoutingMode
  readonly image: string
  readonly redirectImage: string
  /** The sidecar's port on 127.0.0.1. */
  readonly port: number
  /** The port of health, metrics and status, on the pod's addresses. */
  readonly adminPort: number
  /** Undefined leaves the uid to the cluster (OpenShift gives each namespace its own). */
  readonly uid: number | undefined
  readonly resources: ResourceSettings
  /** More variables for the sidecar; they go before the injector's own of the same name. */
  readonly sidecarEnv: readonly EnvVar[]
  /** Go before the ServiceAccount's annotations. */
  readonly clientId: string | undefined
  readonly tenantId: string | undefined
  /** Whom the projected token is for. */
  readonly audience: string
  /** Whether the cluster has them, which it does from `NATIVE_SIDECARS_SINCE` on. */
  readonly hasNativeSidecars: boolean
  /** True: every pod that does not opt out is injected. False: only those that ask. */
  readonly isOptOut: boolean
}

/** The settings without the images, which belong to a release. */
export const INJECTION_DEFAULTS = {
  mode: 'loopback',
  port: 8000,
  adminPort: 9169,
  uid: 1501,
  // A cached token costs microseconds; memory is Node's own and little more.
  resources: {
    cpuRequest: '10m',
    memoryRequest: '64Mi',
    memoryLimit: '128Mi',
    cpuLimit: undefined,
    guaranteedCpu: '100m',
  },
  sidecarEnv: [],
  clientId: undefined,
  tenantId: undefined,
  audience: 'api://AzureADTokenExchange',
  hasNativeSidecars: true,
  isOptOut: false,
} as const satisfies Omit<InjectionSettings, 'image' | 'redirectImage'>
