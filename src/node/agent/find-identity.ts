/** Finds the identity of a pod that a policy has injected. The gate names none, since CEL cannot read the ServiceAccount. */
import { errorMessage } from '../../lib/describe-error.ts'
import { parseSettings } from '../../broker/config/settings.ts'
import { type ApiServer, hasStatus } from '../../kubernetes/api-client.ts'
import {
  ACCOUNT_ANNOTATIONS,
  formatAccountProblem,
  readServiceAccount,
  TENANT_ID,
} from '../../kubernetes/service-account.ts'
import { RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'
import type { SavedPods } from './saved-pods.ts'

interface SettingsOptions {
  readonly api: ApiServer
  readonly saved: Pick<SavedPods, 'find'>
  /** The tenant of ServiceAccounts without the annotation `azure.workload.identity/tenant-id`. */
  readonly defaultTenantId: string | undefined
}

/**
 * Creates a function that returns the variables of a pod's gate, with the identity of the pod. It throws a `RouteFailure`. A
 * pod keeps its first identity until its node restarts, even in a new sandbox and under a later agent. A change of its
 * ServiceAccount applies to new pods.
 */
export function createSettingsReader(options: SettingsOptions) {
  return async (pod: RoutedPod): Promise<RoutedPod['env']> => {
    if (pod.env['AZURE_TENANT_ID']) return pod.env
    const earlier = options.saved.find(pod.uid)
    if (earlier?.env['AZURE_TENANT_ID']) return earlier.env
    return { ...(await readIdentity(pod, options)), ...pod.env }
  }
}

async function readIdentity(
  { namespace, serviceAccount: name }: RoutedPod,
  { api, defaultTenantId }: SettingsOptions,
): Promise<RoutedPod['env']> {
  const account = `${namespace}/${name}`
  const reading = readServiceAccount(api, { namespace, name })
  const result = await reading.catch((error: unknown) => {
    // The agent has this right only where policies inject.
    const fix = hasStatus(error, 403)
      ? '. Fix: create the pod again, or set injection.by=policy'
      : ''
    throw new RouteFailure(
      'settings_invalid',
      `the ServiceAccount ${account} could not be read: ${errorMessage(error)}${fix}`,
      error,
    )
  })
  if ('problem' in result) {
    throw new RouteFailure('settings_invalid', `the ServiceAccount ${account} ${result.problem}`)
  }
  const identity: Record<string, string> = {}
  for (const [variable, annotation] of ACCOUNT_ANNOTATIONS) {
    const value = result.annotations[annotation]
    if (value) identity[variable] = value
  }
  if (defaultTenantId !== undefined) identity['AZURE_TENANT_ID'] ??= defaultTenantId
  if (identity['AZURE_TENANT_ID'] === undefined) {
    throw new RouteFailure(
      'settings_invalid',
      `no tenant id. Fix: annotate the ServiceAccount ${account} with ${TENANT_ID}, or set the chart's value injection.tenantId`,
    )
  }
  const [invalid] = parseSettings(identity).problems
  if (invalid === undefined) return identity
  const annotation = ACCOUNT_ANNOTATIONS.get(invalid.setting ?? '') ?? ''
  const message = formatAccountProblem(annotation, account, invalid.problem)
  throw new RouteFailure('settings_invalid', message)
}
