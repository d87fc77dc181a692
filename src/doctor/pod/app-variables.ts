/** Checks whether the variables of the application's containers lead SDKs to the sidecar. */
import { parseAnnotations } from '../../kubernetes/injector/annotations.ts'
import {
  allContainers,
  type Container,
  findVariable,
  getLiteralValue,
  isInjected,
  type Pod,
} from '../../kubernetes/injector/pod.ts'
import { INJECTION_DEFAULTS, releaseImages } from '../../kubernetes/injector/settings.ts'
import type { RoutingMode } from '../../lib/routing-modes.ts'
import { UNSUPPORTED_PROTOCOL_VARIABLES } from '../../sdk-variables.ts'
import { VERSION } from '../../version.ts'
import { failed, notChecked, notNeeded, passed } from '../findings.ts'
import { createProblem } from '../problem.ts'
import type { Finding } from '../report.ts'

/** The variables whose value is the origin of an endpoint (R21). */
const ENDPOINTS = ['AZURE_POD_IDENTITY_AUTHORITY_HOST', 'IDENTITY_ENDPOINT', 'MSI_ENDPOINT']

const METADATA_ORIGIN = 'http://169.254.169.254'

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
  const { skipped } = parseAnnotations(pod, { ...INJECTION_DEFAULTS, ...releaseImages(VERSION) })
  const apps = allContainers(pod).filter(
    (container) => container !== sidecar && !isInjected(container) && !skipped.has(container.name),
  )
  const origins = [...findOrigins(sidecar), ...(mode === 'env' ? [] : [METADATA_ORIGIN])]
  const conflicts = apps.flatMap((container) => findConflicts(container, origins))
  if (conflicts.length > 0) {
    return failed(
      check,
      createProblem(
        'sdk_variables_conflict',
        conflicts.join('; '),
        'remove these variables from the container, and create the pod again',
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
  const reached = apps.filter((container) => leadsTo(container, origins))
  const others = apps.filter((container) => !reached.includes(container)).map(({ name }) => name)
  if (reached.length > 0) {
    return passed(
      check,
      `lead to the sidecar: ${reached.map(({ name }) => name).join(', ')}`,
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
    createProblem(
      'sdk_variables_missing',
      `no container has a variable that leads its SDKs to the sidecar, and mode env has no other way: ${others.join(', ')}`,
      'inject the pod again, or add what wimds env --output yaml prints to the env of the container; wimds.io/skip-containers must not list it',
    ),
  )
}

/** Returns the origins of the addresses that the sidecar listens on, with the other names of loopback. */
function findOrigins(sidecar: Container): string[] {
  const listen =
    getLiteralValue(findVariable(sidecar, 'WIMDS_LISTEN')) ?? `:${INJECTION_DEFAULTS.port}`
  return listen.split(',').flatMap((address) => {
    const port = address.slice(address.lastIndexOf(':') + 1).trim()
    return [`http://127.0.0.1:${port}`, `http://localhost:${port}`, `http://[::1]:${port}`]
  })
}

function findConflicts(container: Container, origins: readonly string[]): string[] {
  const unsupported = Object.entries(UNSUPPORTED_PROTOCOL_VARIABLES).filter(
    ([name]) => findVariable(container, name) !== undefined,
  )
  const elsewhere = ENDPOINTS.flatMap((name) => {
    const value = getLiteralValue(findVariable(container, name))
    return value === undefined || value === '' || isBelow(value, origins) ? [] : [[name, value]]
  })
  return [
    ...unsupported.map(
      ([name, protocol]) => `${container.name} has ${name}, which selects ${protocol}`,
    ),
    ...elsewhere.map(
      ([name, value]) => `${container.name} has ${name}=${value}, which is not the sidecar`,
    ),
  ]
}

function leadsTo(container: Container, origins: readonly string[]): boolean {
  return ENDPOINTS.some((name) =>
    isBelow(getLiteralValue(findVariable(container, name)) ?? '', origins),
  )
}

function isBelow(url: string, origins: readonly string[]): boolean {
  return URL.canParse(url) && origins.includes(new URL(url).origin)
}
