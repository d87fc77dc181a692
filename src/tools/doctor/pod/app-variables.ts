/** Checks whether the variables of the application's containers lead SDKs to the sidecar. */
import { parseAnnotations } from '../../../cluster/injector/annotations.ts'
import { formatListenAddress } from '../../../cluster/injector/app-environment.ts'
import {
  type EndpointAddress,
  findEndpointAddresses,
} from '../../../cluster/injector/endpoint-variables.ts'
import {
  type Container,
  findVariable,
  getLiteralValue,
  type Pod,
} from '../../../cluster/injector/pod.ts'
import { INJECTION_DEFAULTS } from '../../../cluster/injector/settings.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { UNSUPPORTED_PROTOCOL_VARIABLES } from '../../../lib/sdk-variables.ts'
import { failed, notChecked, notNeeded, type Outcome, passed } from '../findings.ts'
import { findAppContainers } from './pod-object.ts'

/**
 * Returns a failure for containers whose variables lead elsewhere, and in mode env for a pod in which no container
 * has a variable that leads to the sidecar. A single container without may be that of a mesh.
 */
export function checkAppVariables(
  pod: Pod,
  sidecar: Container,
  mode: RoutingMode | undefined,
): Outcome {
  const { skipped } = parseAnnotations(pod, INJECTION_DEFAULTS)
  const listen = findListenAddresses(sidecar)
  const endpoint = { listen, mode, hasIdentityHeader: hasIdentityHeader(sidecar) }
  const apps = findAppContainers(pod, sidecar)
    .filter(({ name }) => !skipped.has(name))
    .map((container) => ({ container, addresses: findEndpointAddresses(container, endpoint) }))
  const conflicts = apps.flatMap(({ container, addresses }) => findConflicts(container, addresses))
  if (conflicts.length > 0) {
    return failed({
      code: 'sdk_variables_conflict',
      problem: conflicts.join('; '),
      fix: 'remove or correct these variables of the container, and create the pod again',
    })
  }
  if (mode === undefined) {
    return notChecked('whether the application needs them depends on the mode, which is not known')
  }
  if (mode !== 'env') return notNeeded(`not needed in mode ${mode}`)
  const { reached = [], others = [] } = Object.groupBy(apps, ({ addresses }) =>
    addresses.some(({ leadsTo }) => leadsTo === 'sidecar') ? 'reached' : 'others',
  )
  const rest = listNames(others)
  if (reached.length > 0) {
    return passed(
      `point to the sidecar: ${listNames(reached)}`,
      ...(rest === '' ? [] : [`do not, so these get no token: ${rest}`]),
    )
  }
  if (apps.some(({ container: { envFrom } }) => (envFrom?.length ?? 0) > 0)) {
    return notChecked('they may come from a ConfigMap or Secret (envFrom), which is not read')
  }
  return failed({
    code: 'sdk_variables_missing',
    problem: `no container has a variable that points its SDKs to the sidecar, and mode env needs one: ${rest}`,
    fix: 'inject the pod again, or add what wimds env --output yaml prints to the env of the container; wimds.io/skip-containers must not list it',
  })
}

function listNames(apps: readonly { readonly container: Container }[]): string {
  return apps.map(({ container }) => container.name).join(', ')
}

/** Returns the addresses that the sidecar listens on. */
function findListenAddresses(sidecar: Container): string[] {
  const listen = getLiteralValue(findVariable(sidecar, 'WIMDS_LISTEN'))
  return (listen ?? formatListenAddress(INJECTION_DEFAULTS.port)).split(',')
}

/** Returns false if the sidecar serves no App Service endpoint. */
function hasIdentityHeader(sidecar: Container): boolean {
  const mayComeFromEnvFrom = (sidecar.envFrom?.length ?? 0) > 0
  return mayComeFromEnvFrom || findVariable(sidecar, 'WIMDS_IDENTITY_HEADER') !== undefined
}

function findConflicts(container: Container, addresses: readonly EndpointAddress[]): string[] {
  const unsupported = Object.entries(UNSUPPORTED_PROTOCOL_VARIABLES).filter(
    ([name]) => findVariable(container, name) !== undefined,
  )
  return [
    ...unsupported.map(
      ([name, protocol]) => `${container.name} has ${name}, which selects ${protocol}`,
    ),
    ...addresses
      .filter(({ leadsTo }) => leadsTo !== 'sidecar')
      .map(
        ({ name, value }) =>
          `${container.name} has ${name}=${value}, which is no endpoint of the sidecar`,
      ),
  ]
}
