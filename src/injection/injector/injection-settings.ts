/** Settings of the injector, which the operator gives. A pod's annotations override some of them. */
import { DEFAULT_AUDIENCE } from '../../lib/clouds.ts'
import { isDnsSubdomain } from '../../lib/object-names.ts'
import { DEFAULT_UID, ROUTING_MODES, type RoutingMode } from '../../lib/sidecar-interface.ts'
import { VERSION } from '../../lib/version.ts'
import { choice, createSchema, reject } from '../../broker/config/parsers.ts'
import type { EnvVar } from '../../kubernetes/pod.ts'
import { DEFAULT_RESOURCES, quantity, type ResourceSettings } from './resources.ts'

/** A key of a ConfigMap or Secret in the pod's namespace. */
export interface ObjectKey {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly name: string
  readonly key: string
}

const MAX_KEY_LENGTH = 253
const KEY = /^[-._a-zA-Z0-9]+$/

/** The name of a ConfigMap. */
export const configMapName = createSchema((text) =>
  isDnsSubdomain(text) ? text : reject(text, 'the name of a ConfigMap'),
)

/** Creates the schema of `NAME` or `NAME/KEY`. */
export function objectKey(kind: ObjectKey['kind'], defaultKey: string) {
  return createSchema((text): ObjectKey => {
    const [name = '', key = defaultKey, ...rest] = text.split('/')
    if (!isDnsSubdomain(name) || rest.length > 0 || !isKey(key)) {
      reject(text, `NAME or NAME/KEY of a ${kind}`)
    }
    return { kind, name, key }
  })
}

function isKey(text: string): boolean {
  return text.length <= MAX_KEY_LENGTH && KEY.test(text) && text !== '.' && !text.startsWith('..')
}

const CA_KEY = 'ca.crt'

/** The values of flags and annotations of the same name. */
export const SHARED_SETTINGS = {
  mode: choice(...ROUTING_MODES),
  'ca-config-map': objectKey('ConfigMap', CA_KEY),
  'ca-secret': objectKey('Secret', CA_KEY),
  'cpu-request': quantity,
  'cpu-limit': quantity,
  'memory-request': quantity,
  'memory-limit': quantity,
}

export const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const

export interface InjectionSettings {
  readonly mode: RoutingMode
  /** Modes that a pod may choose. */
  readonly allowedModes: readonly RoutingMode[]
  /** Whether a pod may let its sidecar reach the node's IMDS. */
  readonly allowPassThrough: boolean
  readonly image: string
  readonly redirectImage: string
  readonly gateImage: string
  /** Undefined leaves it to the cluster: Always for the tag latest, otherwise IfNotPresent. */
  readonly imagePullPolicy: (typeof PULL_POLICIES)[number] | undefined
  /** Undefined leaves the uid to the cluster (OpenShift assigns each namespace a range). */
  readonly uid: number | undefined
  readonly resources: ResourceSettings
  /** Additional variables for the sidecar. They override the injector's defaults, and a pod's annotations override them. */
  readonly sidecarEnv: readonly EnvVar[]
  /** The CA bundle that the sidecar trusts in addition to Node's roots; undefined: none. */
  readonly ca: ObjectKey | undefined
  /** Override the annotations of the ServiceAccount. */
  readonly clientId: string | undefined
  readonly tenantId: string | undefined
  /** The audience of the projected token. */
  readonly audience: string
  /** True: NO_PROXY is set in every container. False: only where a proxy may be set. */
  readonly alwaysSetsNoProxy: boolean
  /** True: injects every pod that does not opt out. False: only pods that opt in. */
  readonly injectByDefault: boolean
}

export const PUBLIC_REGISTRY = 'ghcr.io/wimds'

/** Returns the images of this version in a registry, which may have a path. */
export function imagesIn(registry: string) {
  return {
    image: `${registry}/wimds:${VERSION}`,
    redirectImage: `${registry}/wimds-redirect:${VERSION}`,
    gateImage: `${registry}/wimds-gate:${VERSION}`,
  }
}

export const INJECTION_DEFAULTS: InjectionSettings = {
  ...imagesIn(PUBLIC_REGISTRY),
  mode: 'loopback',
  allowedModes: ROUTING_MODES,
  allowPassThrough: true,
  imagePullPolicy: undefined,
  uid: DEFAULT_UID,
  resources: DEFAULT_RESOURCES,
  sidecarEnv: [],
  ca: undefined,
  clientId: undefined,
  tenantId: undefined,
  audience: DEFAULT_AUDIENCE,
  alwaysSetsNoProxy: false,
  injectByDefault: false,
}
