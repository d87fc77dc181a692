/** Checks what a pod of mode node, which has no sidecar, cannot have. */
import { PREFIX } from './annotations.ts'
import type { Plan } from './injection-plan.ts'
import { PER_POD_SETTINGS } from '../../broker/config/node-mode-settings.ts'
import { listFound } from '../../lib/printable.ts'
import { type EnvVar, findRuntimeProblem, getKnownValue, type Pod } from '../../kubernetes/pod.ts'

/** Annotations without a counterpart for a single pod of mode node. */
const OF_SIDECAR = [
  'admin-port',
  'ca-config-map',
  'ca-secret',
  'https-proxy',
  'https-proxy-secret',
  'no-proxy',
].map((name) => PREFIX + name)

const TOKEN_PROXY = 'AZURE_KUBERNETES_TOKEN_PROXY'

/** Returns a sentence, with its fix, for all that the pod asks for and mode node does not have. */
export function findNodeModeProblems(pod: Pod, plan: Plan): string[] {
  const { settings, token, sidecarEnv } = plan
  const others = settings.allowedModes.filter((mode) => mode !== 'node').join(' or ')
  const otherMode = `set ${PREFIX}mode to ${others || 'a mode with a sidecar, once it is allowed'}`
  const runtime = findRuntimeProblem(pod.spec['runtimeClassName'])
  const isTokenProxySet = [...token.variables, ...settings.sidecarEnv].some(
    ({ name }) => name === TOKEN_PROXY,
  )
  const unknown = sidecarEnv.filter((entry) => PER_POD_SETTINGS.has(entry.name) && !isKnown(entry))
  return [
    ...(runtime === undefined ? [] : [runtime]),
    ...OF_SIDECAR.filter((name) => pod.metadata?.annotations?.[name] !== undefined).map(
      (name) =>
        `mode node has no ${name}, since pods of mode node share a broker. Fix: remove the annotation, or ${otherMode}`,
    ),
    ...listFound(
      isTokenProxySet &&
        `mode node does not use the token proxy of identity bindings (${TOKEN_PROXY}). Fix: ${otherMode}`,
    ),
    ...unknown.map(
      ({ name }) =>
        `the value of ${name} comes from elsewhere (valueFrom, or $(NAME) in it), which the node agent does not read. Fix: write the value itself, or ${otherMode}`,
    ),
  ]
}

/** Returns true if the value stands in the pod. */
function isKnown(entry: EnvVar): boolean {
  return getKnownValue(entry) !== undefined
}
