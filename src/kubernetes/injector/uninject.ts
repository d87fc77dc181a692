/** Removes the sidecar from a pod: the inverse of injection. */
import { METADATA_IP } from '../../lib/hosts.ts'
import { addNoProxyHosts, NO_PROXY_NAMES } from '../../lib/no-proxy.ts'
import { MANAGED_IDENTITY_ONLY } from './app-environment.ts'
import { INJECTED } from './annotations.ts'
import { removeInjection } from './earlier-injection.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
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
 * Removes what injection added to a pod or pod template. Pure. What cannot be told from the author's stays, with a
 * warning: the hosts that were added to a NO_PROXY, the copy of it in the other case, and the annotations of wimds.
 */
export function uninject(value: unknown): Uninjection {
  const problems: string[] = []
  const pod = parsePod(value, problems)
  if (pod === undefined) return { kind: 'rejected', reasons: problems }
  if (pod.metadata?.annotations?.[INJECTED] === undefined) return { kind: 'skipped' }
  // Of skipped containers too: no sidecar is left to which their variables would lead.
  const removed = removeInjection(pod, new Set())
  const uninjected = dropEmptied(removeAppEnvironment(removed), pod)
  return { kind: 'uninjected', pod: uninjected, warnings: findWarnings(uninjected) }
}

const NO_PROXY_HOSTS = addNoProxyHosts(undefined, undefined)

/** Removes the variables that every mode adds. */
function removeAppEnvironment(pod: Pod): Pod {
  const annotation = pod.metadata?.annotations?.['wimds.io/sdk-credentials']
  const isAdded = ({ name, value }: EnvVar) =>
    annotation !== undefined &&
    name === MANAGED_IDENTITY_ONLY.name &&
    value === MANAGED_IDENTITY_ONLY.value

  function clean(container: Container): Container {
    const { env } = container
    if (env == null) return container
    // With `envFrom` injection adds none, and extends those of the author.
    const hasOnlyOurs =
      (container.envFrom?.length ?? 0) === 0 &&
      NO_PROXY_NAMES.every(
        (name) => getLiteralValue(findVariable(container, name)) === NO_PROXY_HOSTS,
      )
    const isOurs = (entry: EnvVar) =>
      hasOnlyOurs && NO_PROXY_NAMES.some((name) => name === entry.name)
    return { ...container, env: env.filter((entry) => !isAdded(entry) && !isOurs(entry)) }
  }

  const { containers, initContainers } = pod.spec
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: containers.map(clean),
      ...(initContainers && { initContainers: initContainers.map(clean) }),
    },
  }
}

/** Removes the lists and maps that injection alone had filled. */
function dropEmptied(pod: Pod, before: Pod): Pod {
  const containersBefore = new Map(allContainers(before).map((each) => [each.name, each]))
  const dropEnv = (container: Container) =>
    dropIfEmptied(container, containersBefore.get(container.name), 'env')
  const { containers, initContainers } = pod.spec
  const spec = {
    ...pod.spec,
    containers: containers.map(dropEnv),
    ...(initContainers && { initContainers: initContainers.map(dropEnv) }),
  }
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
          `left as it is: ${extended.join(', ')}. Injection may have added ${NO_PROXY_HOSTS} or the whole variable: harmless`,
        ]
  const isWanted = pod.metadata?.annotations?.['wimds.io/inject'] === 'true'
  return isWanted
    ? [
        ...noProxy,
        'the annotation wimds.io/inject stays, by which the webhook injects the pods again. Fix: delete it',
      ]
    : noProxy
}
