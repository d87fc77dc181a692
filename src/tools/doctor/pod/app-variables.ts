/** Checks whether the variables of the application's containers lead SDKs to the sidecar, which mode env needs. */
import { parseAnnotations } from '../../../injection/injector/annotations.ts'
import { formatListenAddress, leadsToSidecar } from '../../../injection/injector/app-environment.ts'
import {
  type Container,
  findVariable,
  getLiteralValue,
  hasEnvFrom,
  type Pod,
} from '../../../kubernetes/pod.ts'
import { INJECTION_DEFAULTS } from '../../../injection/injector/injection-settings.ts'
import { DEFAULT_PORT, type RoutingMode } from '../../../lib/sidecar-interface.ts'
import { failed, notChecked, notNeeded, type Outcome, passed } from '../findings.ts'
import { findAppContainers } from '../pod-object.ts'

/**
 * Returns a failure for a pod of mode env in which no container has a variable that leads to the sidecar. A single
 * container without may belong to a mesh. Injection rejects variables that lead elsewhere.
 */
export function checkAppVariables(
  pod: Pod,
  sidecar: Container,
  mode: RoutingMode | undefined,
): Outcome {
  if (mode === undefined) {
    return notChecked('whether the application needs them depends on the mode, which is not known')
  }
  if (mode !== 'env') return notNeeded(`not needed in mode ${mode}`)
  const { skipped } = parseAnnotations(pod, INJECTION_DEFAULTS)
  const listen = findListenAddresses(sidecar)
  const endpoint = { listen, mode, hasIdentityHeader: hasIdentityHeader(sidecar) }
  const apps = findAppContainers(pod, sidecar).filter(({ name }) => !skipped.has(name))
  const { reached = [], others = [] } = Object.groupBy(apps, (container) =>
    leadsToSidecar(container, endpoint) ? 'reached' : 'others',
  )
  const rest = listNames(others)
  if (reached.length > 0) {
    return passed(
      `point to the sidecar: ${listNames(reached)}`,
      ...(rest === '' ? [] : [`do not, so these get no token: ${rest}`]),
    )
  }
  if (apps.some(hasEnvFrom)) {
    return notChecked('they may come from a ConfigMap or Secret (envFrom), which is not read')
  }
  return failed({
    code: 'sdk_variables_missing',
    problem: `no container has a variable that points its SDKs to the sidecar, and mode env needs one: ${rest}`,
    fix: 'inject the pod again, or add what wimds env --output yaml prints to the env of the container; wimds.io/skip-containers must not list it',
  })
}

function listNames(apps: readonly Container[]): string {
  return apps.map(({ name }) => name).join(', ')
}

/** Returns the addresses that the sidecar listens on. */
function findListenAddresses(sidecar: Container): string[] {
  const listen = getLiteralValue(findVariable(sidecar, 'WIMDS_LISTEN'))
  return (listen ?? formatListenAddress(DEFAULT_PORT)).split(',')
}

/** Returns false if the sidecar serves no App Service endpoint. */
function hasIdentityHeader(sidecar: Container): boolean {
  return hasEnvFrom(sidecar) || findVariable(sidecar, 'WIMDS_IDENTITY_HEADER') !== undefined
}
