/** Checks whether the variables of the application's containers lead SDKs to the sidecar. */
import { parseAnnotations } from '../../../cluster/injector/annotations.ts'
import { formatListenAddress } from '../../../cluster/injector/app-environment.ts'
import {
  type EndpointAddress,
  findEndpointAddresses,
} from '../../../cluster/injector/endpoint-variables.ts'
import {
  allContainers,
  type Container,
  findVariable,
  getLiteralValue,
  isInjected,
  type Pod,
} from '../../../cluster/injector/pod.ts'
import { createDefaultSettings, INJECTION_DEFAULTS } from '../../../cluster/injector/settings.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { UNSUPPORTED_PROTOCOL_VARIABLES } from '../../../lib/sdk-variables.ts'
import { VERSION } from '../../../lib/version.ts'
import { failed, notChecked, notNeeded, passed } from '../findings.ts'
import { createFailure } from '../failure.ts'
import type { Finding } from '../doctor-report.ts'

/**
 * Returns a failure for containers whose variables lead elsewhere, and in mode env for a pod in which no container
 * has a variable that leads to the sidecar. A single container without may be that of a mesh.
 */
export function checkAppVariables(
  pod: Pod,
  sidecar: Container,
  mode: RoutingMode | undefined,
): Finding {
  const check = 'sdk_variables'
  const { skipped } = parseAnnotations(pod, createDefaultSettings(VERSION))
  const apps = allContainers(pod).filter(
    (container) => container !== sidecar && !isInjected(container) && !skipped.has(container.name),
  )
  const endpoint = {
    listen: findListenAddresses(sidecar),
    mode,
    hasIdentityHeader: hasIdentityHeader(sidecar),
  }
  const find = (container: Container) => findEndpointAddresses(container, endpoint)
  const conflicts = apps.flatMap((container) => findConflicts(container, find(container)))
  if (conflicts.length > 0) {
    return failed(
      check,
      createFailure(
        'sdk_variables_conflict',
        conflicts.join('; '),
        'remove or correct these variables of the container, and create the pod again',
      ),
    )
  }
  if (mode !== 'env') {
    return mode === undefined
      ? notChecked(
          check,
          'whether the application needs them depends on the mode, which is not known',
        )
      : notNeeded(check, `not needed in mode ${mode}`)
  }
  const reached = apps.filter((container) =>
    find(container).some(({ leadsTo }) => leadsTo === 'sidecar'),
  )
  const others = apps.filter((container) => !reached.includes(container)).map(({ name }) => name)
  if (reached.length > 0) {
    return passed(
      check,
      `point to the sidecar: ${reached.map(({ name }) => name).join(', ')}`,
      ...(others.length === 0 ? [] : [`do not, so these get no token: ${others.join(', ')}`]),
    )
  }
  if (apps.some(({ envFrom }) => (envFrom?.length ?? 0) > 0)) {
    return notChecked(
      check,
      'they may come from a ConfigMap or Secret (envFrom), which is not read',
    )
  }
  return failed(
    check,
    createFailure(
      'sdk_variables_missing',
      `no container has a variable that points its SDKs to the sidecar, and mode env needs one: ${others.join(', ')}`,
      'inject the pod again, or add what wimds env --output yaml prints to the env of the container; wimds.io/skip-containers must not list it',
    ),
  )
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
