/** Removes the sidecar from a pod: the inverse of injection. */
import { isDeepStrictEqual } from 'node:util'
import { METADATA_IP } from '../../lib/hosts.ts'
import { NO_PROXY_NAMES, UNPROXIED_HOSTS } from '../../lib/no-proxy.ts'
import { ADDED_NO_PROXY, findAddedVariables, MANAGED_IDENTITY_ONLY } from './app-environment.ts'
import { INJECTED } from './annotations.ts'
import { findEndpointVariables, findUncertain, removeInjection } from './earlier-injection.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
  mapContainers,
  parsePod,
  type Pod,
} from './pod.ts'

export type Uninjection =
  | { readonly kind: 'uninjected'; readonly pod: Pod; readonly warnings: readonly string[] }
  /** The pod has not been injected. */
  | { readonly kind: 'skipped' }
  /** It is malformed. */
  | { readonly kind: 'rejected'; readonly reasons: readonly string[] }

/**
 * Removes what injection added to a pod or pod template. Pure. Stays, with a warning: the hosts that were added to a
 * NO_PROXY, the copy of it in the other case, the annotations of wimds, and variables that seem to be the author's.
 */
export function uninject(value: unknown): Uninjection {
  const problems: string[] = []
  const pod = parsePod(value, problems)
  if (pod === undefined) return { kind: 'rejected', reasons: problems }
  if (pod.metadata?.annotations?.[INJECTED] === undefined) return { kind: 'skipped' }
  // Of skipped containers too: no sidecar is left to which their variables would lead.
  const removed = removeInjection(pod, new Set())
  const uninjected = dropEmptied(removeAppEnvironment(removed), pod)
  const variables = [
    ...findEndpointVariables(pod),
    ...(hasSdkCredentials(pod) ? [MANAGED_IDENTITY_ONLY] : []),
  ]
  const warnings = [...findUncertain(pod, uninjected, variables), ...findWarnings(uninjected)]
  return { kind: 'uninjected', pod: uninjected, warnings }
}

function hasSdkCredentials(pod: Pod): boolean {
  return pod.metadata?.annotations?.['wimds.io/sdk-credentials'] !== undefined
}

/** Removes the variables that every mode adds. */
function removeAppEnvironment(pod: Pod): Pod {
  function clean(container: Container): Container {
    const { env } = container
    if (env == null) return container
    const hasAddedNoProxy = ADDED_NO_PROXY.every(({ name, value }) => {
      return getLiteralValue(findVariable(container, name)) === value
    })
    const candidates = findAddedVariables(env)
    const isAdded = (entry: EnvVar) =>
      (hasAddedNoProxy && NO_PROXY_NAMES.some((name) => name === entry.name)) ||
      (hasSdkCredentials(pod) &&
        candidates.has(entry) &&
        isDeepStrictEqual(entry, MANAGED_IDENTITY_ONLY))
    return { ...container, env: env.filter((entry) => !isAdded(entry)) }
  }

  return mapContainers(pod, clean)
}

/** Removes the lists and maps that injection alone had filled. */
function dropEmptied(pod: Pod, before: Pod): Pod {
  const containersBefore = new Map(allContainers(before).map((each) => [each.name, each]))
  const dropEnv = (container: Container) =>
    dropIfEmptied(container, containersBefore.get(container.name), 'env')
  const { spec } = mapContainers(pod, dropEnv)
  const metadata = pod.metadata && dropIfEmptied(pod.metadata, before.metadata, 'annotations')
  return dropIfEmptied(
    {
      ...pod,
      ...(metadata && { metadata }),
      spec: dropIfEmptied(
        dropIfEmptied(spec, before.spec, 'initContainers'),
        before.spec,
        'volumes',
      ),
    },
    before,
    'metadata',
  )
}

/** Returns the object without the member if that is empty and was not before. */
function dropIfEmptied<T extends object>(
  object: T,
  before: object | null | undefined,
  name: keyof T,
): T {
  const { [name]: member, ...others } = object
  if (member == null || !isEmpty(member) || isEmpty(Reflect.get(before ?? {}, name))) return object
  // oxlint-disable-next-line no-unsafe-type-assertion -- the members that are dropped are optional
  return others as unknown as T
}

function isEmpty(value: unknown): boolean {
  return Object.keys(value ?? {}).length === 0
}

function findWarnings(pod: Pod): string[] {
  const extended = allContainers(pod).flatMap((container) => {
    const names = NO_PROXY_NAMES.filter((name) =>
      getLiteralValue(findVariable(container, name))?.includes(METADATA_IP),
    )
    return names.length === 0 ? [] : [`${names.join(' and ')} of ${container.name}`]
  })
  const noProxy =
    extended.length === 0
      ? []
      : [
          `left as it is: ${extended.join(', ')}. Injection may have added ${UNPROXIED_HOSTS.join(',')} or the whole variable: harmless`,
        ]
  const isWanted = pod.metadata?.annotations?.['wimds.io/inject'] === 'true'
  return isWanted
    ? [
        ...noProxy,
        'the annotation wimds.io/inject stays, by which the webhook injects the pods again. Fix: delete it',
      ]
    : noProxy
}
