/**
 * Settings of the injector. The operator gives them, by flags that `wimds inject` and `wimds webhook` share. A pod's
 * annotations override some of them.
 */
import type * as z from 'zod/mini'
import {
  findConflict,
  type FlagDeclarations,
  type Flags,
  parseSettingFlag,
} from '../../lib/args.ts'
import { DEFAULT_AUDIENCE } from '../../lib/clouds.ts'
import { isDnsSubdomain } from '../../lib/grammars.ts'
import { DEFAULT_UID, ROUTING_MODES, type RoutingMode } from '../../lib/sidecar-interface.ts'
import { docsPage, IS_RELEASED, VERSION } from '../../lib/version.ts'
import { choice, createSchema, integer, matching, reject } from '../../service/parsers.ts'
import { findUnknownSettings, Settings } from '../../broker/config/settings.ts'
import { type EnvVar, getKnownValue } from '../../kubernetes/pod.ts'
import { DEFAULT_RESOURCES, quantity } from './resources.ts'

/** A key of a ConfigMap or Secret in the pod's namespace. */
export interface ObjectKey {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly name: string
  readonly key: string
}

const MAX_KEY_LENGTH = 253
const KEY = /^[-._a-zA-Z0-9]+$/

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

/** The schemas of the settings that are both a flag and an annotation. */
export const SHARED_SETTINGS = {
  mode: choice(...ROUTING_MODES),
  'ca-config-map': objectKey('ConfigMap', CA_KEY),
  'ca-secret': objectKey('Secret', CA_KEY),
  'cpu-request': quantity,
  'cpu-limit': quantity,
  'memory-request': quantity,
  'memory-limit': quantity,
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

/** The flags of `wimds inject` and `wimds webhook` that say how a sidecar is injected. */
export const INJECTION_FLAGS = {
  mode: {
    value: 'MODE',
    choices: ROUTING_MODES,
    group: 'Injection',
    help: `mode of pods without the annotation wimds.io/mode: env, loopback (the default), nft or node; see ${docsPage('kubernetes')}`,
  },
  'image-registry': {
    value: 'REGISTRY',
    help: `the registry of these images, such as example.azurecr.io (default ${PUBLIC_REGISTRY}${IS_RELEASED ? '' : '; until this version is released, give one'})`,
  },
  image: {
    value: 'IMAGE',
    help: "the sidecar's image (default REGISTRY/wimds of this version)",
  },
  'redirect-image': {
    value: 'IMAGE',
    help: "the init container's image (default REGISTRY/wimds-redirect of this version)",
  },
  'gate-image': {
    value: 'IMAGE',
    help: "the init container's image in mode node (default REGISTRY/wimds-gate of this version)",
  },
  env: {
    value: 'NAME=VALUE',
    isRepeatable: true,
    help: 'a variable for the sidecar that injection does not set',
  },
  'ca-config-map': {
    value: 'NAME[/KEY]',
    help: "a ConfigMap in the pod's namespace with CA certificates that the sidecar trusts (key ca.crt)",
  },
  'ca-secret': { value: 'NAME[/KEY]', help: 'the same from a Secret' },
  audience: {
    value: 'AUDIENCE',
    help: `audience of the projected token (default ${DEFAULT_AUDIENCE})`,
  },
  'always-set-no-proxy': {
    help: 'set NO_PROXY in every container; without the flag only where a variable or envFrom may set a proxy',
  },
  uid: {
    value: 'UID|none',
    help: `the sidecar's uid (default ${DEFAULT_UID}); none leaves it to the cluster`,
  },
} as const satisfies FlagDeclarations

type InjectionFlag = keyof typeof INJECTION_FLAGS

export type InjectionSettings = Readonly<ReturnType<typeof parseInjectionSettings>>

/**
 * Returns the settings: those of the flags, and the defaults of the others. If problems were added to the list, the result
 * must not be used.
 */
export function parseInjectionSettings(
  flags: Pick<Flags<InjectionFlag>, 'has' | 'value' | 'values'>,
  problems: string[],
) {
  const read = <T>(name: InjectionFlag, schema: z.ZodMiniType<T>) =>
    parseSettingFlag(flags, name, schema, problems)
  const sidecarEnv = flags.values('env').flatMap((entry) => parseVariable(entry, problems))
  problems.push(...findConflict(flags, ['ca-config-map', 'ca-secret']))
  const [configMap, secret] = (['ca-config-map', 'ca-secret'] as const).map((name) =>
    read(name, SHARED_SETTINGS[name]),
  )
  const ca = configMap ?? secret
  if (ca !== undefined && sidecarEnv.some(({ name }) => name === 'WIMDS_CA_FILE')) {
    problems.push(
      '--env WIMDS_CA_FILE and the CA of a ConfigMap or Secret are both given: give one',
    )
  }
  const allowedModes: readonly RoutingMode[] = ROUTING_MODES
  const images = imagesIn(read('image-registry', registryName) ?? PUBLIC_REGISTRY)
  return {
    mode: read('mode', SHARED_SETTINGS.mode) ?? 'loopback',
    /** Modes that a pod may choose. */
    allowedModes,
    /** True if a pod may let its sidecar reach the node's IMDS. */
    allowPassThrough: true,
    image: read('image', imageName) ?? images.image,
    redirectImage: read('redirect-image', imageName) ?? images.redirectImage,
    gateImage: read('gate-image', imageName) ?? images.gateImage,
    /** The uid of the sidecar. If undefined, the cluster chooses one (OpenShift assigns each namespace a range). */
    uid: flags.value('uid') === 'none' ? undefined : (read('uid', uid) ?? DEFAULT_UID),
    resources: DEFAULT_RESOURCES,
    /** Additional variables for the sidecar. They override the injector's defaults, and a pod's annotations override them. */
    sidecarEnv,
    /** The CA bundle that the sidecar trusts in addition to Node's roots; undefined: none. */
    ca,
    /** The audience of the projected token. */
    audience: read('audience', audience) ?? DEFAULT_AUDIENCE,
    /** If true, NO_PROXY is set in every container. Otherwise it is set only where a proxy may be set. */
    alwaysSetsNoProxy: flags.has('always-set-no-proxy'),
    /** If true, injects every pod that does not opt out. Otherwise injects only pods that opt in. */
    injectByDefault: false,
  }
}

/**
 * Returns a problem if an image would come from the public registry and this version is not released: whoever registers the name
 * there would decide what runs.
 */
export function findUnpublishedImages(flags: Pick<Flags<InjectionFlag>, 'has'>): string[] {
  if (IS_RELEASED || flags.has('image-registry')) return []
  const { image, redirectImage, gateImage } = imagesIn(PUBLIC_REGISTRY)
  const unnamed = [
    ...(flags.has('image') ? [] : [image]),
    ...(flags.has('redirect-image') ? [] : [redirectImage]),
    ...(flags.has('gate-image') ? [] : [gateImage]),
  ]
  if (unnamed.length === 0) return []
  return [
    `--image-registry is missing: this version is not released, so somebody else may have put an image at ${unnamed.join(', ')}. Fix: build the images (${docsPage('install', 'from-a-checkout')}) and pass the registry that has them, such as --image-registry example.azurecr.io`,
  ]
}

/** The value may be a placeholder, such as `${REGISTRY}` or `${REGISTRY}/wimds`. */
const registryName = matching(
  /^(?!https?:)\S*[^\s/]$/,
  'of the form HOST[:PORT][/PATH], such as example.azurecr.io',
)
const imageName = matching(/^\S+$/, 'the name of an image')
const audience = matching(/^\S+$/, `an audience such as ${DEFAULT_AUDIENCE}`)

/** The variables that injection sets, and what to use in place of each. The chart rejects the same names in injection.env. */
export const SET_BY_INJECTION: ReadonlyMap<string, string> = new Map([
  [
    'AZURE_CLIENT_ID',
    'the annotation azure.workload.identity/client-id of the ServiceAccount, or --client-id of wimds inject',
  ],
  ['AZURE_TENANT_ID', '--tenant-id'],
  ['AZURE_FEDERATED_TOKEN_FILE', 'AZURE_FEDERATED_TOKEN_FILE of a container of the pod'],
  ['WIMDS_MODE', '--mode'],
  ['WIMDS_LISTEN', 'the annotation wimds.io/port of the pod'],
  ['WIMDS_ADMIN_LISTEN', 'the annotation wimds.io/admin-port of the pod'],
  ['WIMDS_CONFIG', 'the annotation wimds.io/config-map of the pod'],
])

function parseVariable(entry: string, problems: string[]): EnvVar[] {
  const [, name, value] = /^([-._a-zA-Z][-._a-zA-Z0-9]*)=([^]*)$/.exec(entry) ?? []
  if (name === undefined || value === undefined) {
    // The value may be a secret, so the message does not repeat it.
    problems.push('--env must be NAME=VALUE')
    return []
  }
  const instead = SET_BY_INJECTION.get(name)
  const problem = findValueProblem({ name, value })
  if (instead !== undefined) {
    problems.push(`--env must not have ${name}, which injection sets. Fix: use ${instead}`)
  } else if (problem !== undefined) problems.push(`--env ${name}: ${problem}`)
  return [{ name, value }]
}

const SCHEMAS = new Map<string, z.ZodMiniType>(Object.entries(Settings.shape))

/**
 * Returns the problem of the value of a setting. Undefined if the value is valid, if it is empty, which counts as unset, or if only
 * the kubelet knows it (`valueFrom`, $(NAME)).
 */
export function findValueProblem(entry: EnvVar): string | undefined {
  const value = getKnownValue(entry) ?? ''
  if (value === '') return undefined
  return SCHEMAS.get(entry.name)?.safeParse(value).error?.issues[0]?.message
}

/** A uid other than root. */
const uid = integer({ min: 1, max: 2_147_483_647 })

/** Returns a warning for each variable of `--env` that looks like a setting but is not one. */
export function findUnknownVariables(sidecarEnv: readonly EnvVar[]): string[] {
  const env = Object.fromEntries(sidecarEnv.map(({ name }) => [name, undefined]))
  return findUnknownSettings(env).map((text) => `--env: ${text}`)
}

/** The settings without any flag. */
export const INJECTION_DEFAULTS: InjectionSettings = parseInjectionSettings(
  { has: () => false, value: () => undefined, values: () => [] },
  [],
)
