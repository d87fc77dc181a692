/** Finds the identities that a workload names itself: in the environment of its containers, and in its identities file. */
import type { IdentityEntry } from '../../broker/config/identities-file.ts'
import { findAudience } from '../../lib/clouds.ts'
import { allContainers, findVariable, getKnownValue, type Pod } from '../../kubernetes/pod.ts'
import { isGuid } from '../../lib/grammars.ts'
import { CLIENT_ID_FIX } from './accounts.ts'
import { type ClusterObjects, formatObject, type WorkloadObject } from './cluster-objects.ts'
import { BINDING, findTokenAt, type TokenUse } from './projected-token.ts'

/** Reports a problem of a workload, which is left out of the plan. */
export type LeaveOut = (problem: string, fix: string) => never[]

export interface WorkloadIdentity {
  readonly clientId: string
  readonly token: TokenUse
}

/** Returns true if a container's client id comes from another object or variable, and so is not known here. */
export function takesClientIdFromElsewhere(template: Pod): boolean {
  const entries = allContainers(template).map((each) => findVariable(each, 'AZURE_CLIENT_ID'))
  return entries.some((entry) => entry !== undefined && getKnownValue(entry) === undefined)
}

/** Finds the client ids in the environment of containers that have a projected token for Entra ID. */
export function findExplicitIdentities(
  workload: WorkloadObject,
  main: TokenUse,
  leaveOut: LeaveOut,
): WorkloadIdentity[] {
  const clientIds = allContainers(workload.template)
    .filter(
      (container) =>
        findVariable(container, 'AZURE_FEDERATED_TOKEN_FILE') !== undefined &&
        // The identities file replaces the variable.
        findVariable(container, 'WIMDS_CONFIG') === undefined,
    )
    .map((container) => getKnownValue(findVariable(container, 'AZURE_CLIENT_ID')) ?? '')
    .filter((text) => text !== '')
  return [...new Set(clientIds)].flatMap((text) => {
    if (isGuid(text)) return { clientId: text.toLowerCase(), token: main }
    return leaveOut(
      `AZURE_CLIENT_ID in ${workload.place} must be a GUID, not ${JSON.stringify(text)}`,
      CLIENT_ID_FIX,
    )
  })
}

export function findEntries(
  { namespace }: WorkloadObject,
  configMap: string,
  { configMaps }: ClusterObjects,
  leaveOut: LeaveOut,
): readonly IdentityEntry[] {
  const found = configMaps.find((each) => each.namespace === namespace && each.name === configMap)
  if (found !== undefined) return found.entries
  const label = formatObject('ConfigMap', { namespace, name: configMap })
  return leaveOut(
    `uses the identities of ${label}, which is not in the input or has no key identities.yaml`,
    'add it to the input',
  )
}

/** Returns the identity of an entry. */
export function findEntryIdentity(
  { clientId, tokenFile, exchangeVia, authorityHost }: IdentityEntry,
  pod: Pod,
  main: TokenUse,
  defaultAudience: string,
): WorkloadIdentity {
  const audience = authorityHost === undefined ? defaultAudience : findAudience(authorityHost)
  const projected = tokenFile === undefined ? main : findTokenAt(pod, tokenFile, audience)
  const token =
    exchangeVia === 'token-proxy'
      ? BINDING
      : exchangeVia === 'entra' && projected === BINDING
        ? audience
        : projected
  return { clientId, token }
}
