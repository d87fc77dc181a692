/** Parses the pod's annotations of wimds and of azure-workload-identity. */
import * as z from 'zod/mini'
import { createSchema, flag, integer, matching } from '../../service/parsers.ts'
import { type SettingName, Settings } from '../../broker/config/settings.ts'
import { DEFAULT_ADMIN_PORT, DEFAULT_PORT } from '../../lib/sidecar-interface.ts'
import { suggest } from '../../lib/suggest.ts'
import { AZWI_PREFIX, USE_LABEL } from '../../kubernetes/service-account.ts'
import { readRecord } from './injection-record.ts'
import type { EnvVar, Pod } from '../../kubernetes/pod.ts'
import { omitPodLevelResources, overrideResources } from './resources.ts'
import {
  configMapName,
  INJECTION_DEFAULTS,
  type InjectionSettings,
  type ObjectKey,
  objectKey,
  SHARED_SETTINGS,
} from './injection-settings.ts'

/** The prefix of the annotations of wimds. */
export const PREFIX = 'wimds.io/'

const port = integer({ min: 1024, max: 65_535 })

/** Creates the schema of the value of a setting, as the variable of the sidecar. */
function variable(name: SettingName) {
  return createSchema((value): EnvVar => {
    const problem = Settings.shape[name].safeParse(value).error?.issues[0]
    if (problem !== undefined) throw new Error(problem.message)
    return { name, value }
  })
}

/** Creates the schema of the key of a Secret that has the value of a setting, as the variable of the sidecar. */
function secretVariable(name: SettingName, defaultKey: string) {
  const toVariable = (secret: ObjectKey): EnvVar => {
    return { name, valueFrom: { secretKeyRef: { name: secret.name, key: secret.key } } }
  }
  return z.pipe(objectKey('Secret', defaultKey), z.transform(toVariable))
}

/** A URL without a user. The error does not repeat it, since it may contain a password. */
const withoutUser = createSchema((url) => {
  if (!url.includes('@')) return url
  throw new Error(
    `must not contain a user or a password, since annotations are no secrets. Fix: put the URL into a Secret, and name that in ${PREFIX}https-proxy-secret`,
  )
})

/** The annotations that are variables of the sidecar. */
const VARIABLES = {
  prefetch: variable('WIMDS_PREFETCH'),
  'pass-through': variable('WIMDS_PASS_THROUGH'),
  'https-proxy': z.pipe(withoutUser, variable('HTTPS_PROXY')),
  'https-proxy-secret': secretVariable('HTTPS_PROXY', 'https-proxy'),
  'no-proxy': z.pipe(matching(/./s, 'a comma-separated list of hosts'), variable('NO_PROXY')),
}

/** The annotations of wimds by their names after the prefix, with the schemas of their values. */
const ANNOTATIONS = {
  inject: flag,
  injected: z.string(),
  ...SHARED_SETTINGS,
  port,
  'admin-port': port,
  'config-map': configMapName,
  ...VARIABLES,
  // Separated by commas or, as azure-workload-identity does it, by semicolons.
  'skip-containers': createSchema((text) => text.split(/[,;]/).map((name) => name.trim())),
}
type Name = keyof typeof ANNOTATIONS
type Values = { readonly [N in Name]: z.infer<(typeof ANNOTATIONS)[N]> }
const SCHEMAS: { readonly [N in Name]: z.ZodMiniType<Values[N]> } = ANNOTATIONS

/** The settings of the injection of one pod. */
export type PodSettings = ReturnType<typeof parseAnnotations>

/** Parses the annotations; settings that they do not override have the operator's value. */
export function parseAnnotations(pod: Pod, defaults: InjectionSettings = INJECTION_DEFAULTS) {
  const annotations = pod.metadata?.annotations ?? {}
  const problems = [...findUnknownAnnotations(annotations), ...findConflicts(annotations)]

  function parse<T>(key: string, schema: z.ZodMiniType<T>): T | undefined {
    const value = annotations[key]
    const parsed = value === undefined ? undefined : schema.safeParse(value.trim())
    if (parsed?.error) problems.push(`the annotation ${key} ${parsed.error.issues[0]?.message}`)
    return parsed?.data
  }
  /** Parses the annotation, or the other one if the pod has only that. */
  function read<N extends Name>(name: N, other = PREFIX + name): Values[N] | undefined {
    const key = PREFIX + name
    return parse(annotations[key] === undefined ? other : key, SCHEMAS[name])
  }

  const wantedMode = read('mode')
  // An injected pod keeps its mode while replicas of the webhook with different defaults review it.
  const mode = wantedMode ?? readRecord(pod)?.mode ?? defaults.mode
  return {
    ...defaults,
    /** Says whether the pod opts in or out; undefined if it has no such annotation. */
    inject: read('inject') ?? (asksForAzwiProxy(pod) || undefined),
    /** True if an earlier injection decides the mode, and the operator's settings have another one. */
    keepsEarlierMode: mode !== (wantedMode ?? defaults.mode),
    mode,
    port: read('port', `${AZWI_PREFIX}proxy-sidecar-port`) ?? DEFAULT_PORT,
    adminPort: read('admin-port') ?? DEFAULT_ADMIN_PORT,
    resources: overrideResources(omitPodLevelResources(defaults.resources, pod), read),
    // In mode node the broker makes the exchanges, and trusts the CA of the node's settings.
    ca: mode === 'node' ? undefined : (read('ca-config-map') ?? read('ca-secret') ?? defaults.ca),
    /** A ConfigMap with the key `identities.yaml`. */
    configMap: read('config-map'),
    /** Variables of the sidecar, which override those of the operator. */
    variables: Object.entries(VARIABLES).flatMap(
      ([name, schema]) => parse(PREFIX + name, schema) ?? [],
    ),
    /** How long the projected token that injection adds is valid, in seconds; undefined: for the default. */
    tokenExpiration: parse(`${AZWI_PREFIX}service-account-token-expiration`, TOKEN_EXPIRATION),
    /** Containers whose environment is not changed. */
    skipped: new Set(
      read('skip-containers', `${AZWI_PREFIX}skip-containers`)?.filter((name) => name !== ''),
    ),
    /** A sentence for each annotation that is unknown or malformed. */
    problems,
  }
}

const TOKEN_EXPIRATION = integer({ min: 3600, max: 86_400 })

/**
 * Returns true if the pod asks for the proxy of azure-workload-identity by the value `true`, and its webhook
 * would not inject that. (That webhook treats any value as true, even "false":
 * Azure/azure-workload-identity#1210.)
 */
function asksForAzwiProxy(pod: Pod): boolean {
  const value = pod.metadata?.annotations?.[`${AZWI_PREFIX}inject-proxy-sidecar`]
  return value === 'true' && !isInjectedByAzwi(pod)
}

/** Returns true if the webhook of azure-workload-identity would inject its own proxy: it selects by this label. */
export function isInjectedByAzwi({ metadata }: Pod): boolean {
  const isSelected = metadata?.labels?.[USE_LABEL] === 'true'
  return isSelected && metadata?.annotations?.[`${AZWI_PREFIX}inject-proxy-sidecar`] !== undefined
}

/** Returns a problem for each unknown annotation: a misspelt one would be ignored silently. */
function findUnknownAnnotations(annotations: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(ANNOTATIONS)
  return Object.keys(annotations)
    .filter((key) => key.startsWith(PREFIX) && !names.includes(key.slice(PREFIX.length)))
    .map((key) => {
      const suggestion = suggest(key.slice(PREFIX.length), names, PREFIX)
      return suggestion === ''
        ? `the annotation ${key} is unknown; known are ${PREFIX}{${names.join(',')}}`
        : `the annotation ${key} is unknown${suggestion}`
    })
}

/** A pod may have only one of these annotations. */
const ALTERNATIVES = [
  ['ca-config-map', 'ca-secret'],
  ['https-proxy', 'https-proxy-secret'],
] as const satisfies readonly Name[][]

function findConflicts(annotations: Readonly<Record<string, string>>): string[] {
  return ALTERNATIVES.map((names) => names.map((name) => PREFIX + name))
    .filter((keys) => keys.every((key) => annotations[key] !== undefined))
    .map((keys) => `the annotations ${keys.join(' and ')} are both set. Fix: remove one`)
}
