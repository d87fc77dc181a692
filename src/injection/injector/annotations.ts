/** Parses the pod's annotations of wimds and of azure-workload-identity. */
import * as z from 'zod/mini'
import { createSchema, flag, integer, matching } from '../../service/parsers.ts'
import { type SettingName, Settings } from '../../broker/config/settings.ts'
import { DEFAULT_ADMIN_PORT, DEFAULT_PORT } from '../../lib/sidecar-interface.ts'
import { suggest } from '../../lib/suggest.ts'
import { AZWI_PREFIX } from '../../kubernetes/service-account.ts'
import { optsInByAzwi } from './azwi-opt-in.ts'
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

export const PREFIX = 'wimds.io/'

const port = integer({ min: 1024, max: 65_535 })

/** Creates a schema that turns the value of a setting into the sidecar's variable. */
function variable(name: SettingName) {
  return createSchema((value): EnvVar => {
    const problem = Settings.shape[name].safeParse(value).error?.issues[0]
    if (problem !== undefined) throw new Error(problem.message)
    return { name, value }
  })
}

/** Creates a schema that turns the name of a Secret into the sidecar's variable, which takes its value from a key of the Secret. */
function secretVariable(name: SettingName, defaultKey: string) {
  const toVariable = (secret: ObjectKey): EnvVar => {
    return { name, valueFrom: { secretKeyRef: { name: secret.name, key: secret.key } } }
  }
  return z.pipe(objectKey('Secret', defaultKey), z.transform(toVariable))
}

/** A URL without a user. The error does not repeat the URL, since it may contain a password. */
const withoutUser = createSchema((url) => {
  if (!url.includes('@')) return url
  throw new Error(
    `must not contain a user or a password, since annotations are no secrets. Fix: put the URL into a Secret, and name that in ${PREFIX}https-proxy-secret`,
  )
})

/** The annotations that become variables of the sidecar. */
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
  // The names are separated by commas or, as in azure-workload-identity, by semicolons.
  'skip-containers': createSchema((text) => text.split(/[,;]/).map((name) => name.trim())),
}
type Name = keyof typeof ANNOTATIONS
type Values = { readonly [N in Name]: z.infer<(typeof ANNOTATIONS)[N]> }
const SCHEMAS: { readonly [N in Name]: z.ZodMiniType<Values[N]> } = ANNOTATIONS

export type PodSettings = ReturnType<typeof parseAnnotations>

/** Returns the settings of this pod: the values of its annotations, and the operator's settings for all others. */
export function parseAnnotations(pod: Pod, defaults: InjectionSettings = INJECTION_DEFAULTS) {
  const annotations = pod.metadata?.annotations ?? {}
  const problems = [...findUnknownAnnotations(annotations), ...findConflicts(annotations)]

  function parse<T>(key: string, schema: z.ZodMiniType<T>): T | undefined {
    const value = annotations[key]
    const parsed = value === undefined ? undefined : schema.safeParse(value.trim())
    if (parsed?.error) problems.push(`the annotation ${key} ${parsed.error.issues[0]?.message}`)
    return parsed?.data
  }
  /** Parses the annotation of wimds, or `other` if the pod has only that. */
  function read<N extends Name>(name: N, other = PREFIX + name): Values[N] | undefined {
    const key = PREFIX + name
    return parse(annotations[key] === undefined ? other : key, SCHEMAS[name])
  }

  const wantedMode = read('mode')
  // An injected pod keeps its mode while replicas of the webhook with different defaults review it.
  const mode = wantedMode ?? readRecord(pod)?.mode ?? defaults.mode
  return {
    ...defaults,
    /** True if the pod opts in, false if it opts out, undefined if it does neither. */
    inject: read('inject') ?? (optsInByAzwi(pod) || undefined),
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
    /** Variables of the sidecar, which override the operator's variables. */
    variables: Object.entries(VARIABLES).flatMap(
      ([name, schema]) => parse(PREFIX + name, schema) ?? [],
    ),
    /** The lifetime of the projected token that injection adds, in seconds. Undefined: the default. */
    tokenExpiration: parse(`${AZWI_PREFIX}service-account-token-expiration`, TOKEN_EXPIRATION),
    /** The containers whose environment injection does not change. */
    skipped: new Set(
      read('skip-containers', `${AZWI_PREFIX}skip-containers`)?.filter((name) => name !== ''),
    ),
    /** A sentence for each annotation that is unknown or malformed. */
    problems,
  }
}

const TOKEN_EXPIRATION = integer({ min: 3600, max: 86_400 })

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

/** The pairs of annotations of which a pod may have only one. */
const ALTERNATIVES = [
  ['ca-config-map', 'ca-secret'],
  ['https-proxy', 'https-proxy-secret'],
] as const satisfies readonly Name[][]

function findConflicts(annotations: Readonly<Record<string, string>>): string[] {
  return ALTERNATIVES.map((names) => names.map((name) => PREFIX + name))
    .filter((keys) => keys.every((key) => annotations[key] !== undefined))
    .map((keys) => `the annotations ${keys.join(' and ')} are both set. Fix: remove one`)
}
