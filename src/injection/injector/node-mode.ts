/** Finds settings of a pod that mode node does not support, since the pod has no sidecar. */
import { PREFIX } from './annotations.ts'
import type { Plan } from './injection-plan.ts'
import { PER_POD_SETTINGS } from '../../broker/config/node-mode-settings.ts'
import { listFound } from '../../lib/printable.ts'
import { findRuntimeProblem, getKnownValue, type Pod } from '../../kubernetes/pod.ts'

/** The annotations that mode node does not support: they would concern all pods of the broker. */
const OF_SIDECAR = [
  'admin-port',
  'ca-config-map',
  'ca-secret',
  'https-proxy',
  'https-proxy-secret',
  'no-proxy',
].map((name) => PREFIX + name)

const TOKEN_PROXY = 'AZURE_KUBERNETES_TOKEN_PROXY'

/** Returns a problem, with its fix, for each setting of the pod that mode node does not support. */
export function findNodeModeProblems(pod: Pod, plan: Plan): string[] {
  const { settings, token, sidecarEnv } = plan
  const others = settings.allowedModes.filter((mode) => mode !== 'node').join(' or ')
  const otherMode = `set ${PREFIX}mode to ${others || 'a mode with a sidecar, once it is allowed'}`
  const runtime = findRuntimeProblem(pod.spec['runtimeClassName'])
  const isTokenProxySet = [...token.variables, ...settings.sidecarEnv].some(
    ({ name }) => name === TOKEN_PROXY,
  )
  const unknown = sidecarEnv.filter(
    (entry) => PER_POD_SETTINGS.has(entry.name) && getKnownValue(entry) === undefined,
  )
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
        `the value of ${name} is not in the pod itself (it has valueFrom or $(NAME)), so the node agent cannot read it. Fix: write the value itself, or ${otherMode}`,
    ),
  ]
}
