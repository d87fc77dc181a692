/** Reads which identity each ServiceAccount of the input names. */
import { CLIENT_ID, findMisspelt } from '../../kubernetes/service-account.ts'
import { isGuid } from '../../lib/grammars.ts'
import { type ClusterObject, formatObject } from './cluster-objects.ts'
import { formatSubject, type Report } from './finding.ts'

export interface Account {
  readonly object: ClusterObject
  /** Undefined if the ServiceAccount names no identity, or a malformed one. */
  readonly clientId: string | undefined
  /** True if the identities that it names were reported as an error. */
  readonly isReported: boolean
}

export const CLIENT_ID_FIX =
  'write the client id of the identity, which az identity show --query clientId prints'

/**
 * Returns the ServiceAccounts by the subjects of their tokens. If the input has one several times, such as in the base and an
 * overlay of a kustomization, the object that names an identity counts. Two different identities are reported.
 */
export function readAccounts(
  objects: readonly ClusterObject[],
  report: Report,
): ReadonlyMap<string, Account> {
  const accounts = new Map<string, Account>()
  for (const object of objects) {
    const subject = formatSubject(object.namespace, object.name)
    const account = readAccount(object, report)
    const { clientId } = account
    const earlier = accounts.get(subject)
    if (earlier?.isReported || (earlier !== undefined && clientId === undefined)) continue
    const isOther = earlier?.clientId !== undefined && earlier.clientId !== clientId
    accounts.set(subject, { ...account, isReported: account.isReported || isOther })
    if (!isOther) continue
    const problem = `names several identities: ${earlier.clientId} in ${earlier.object.place}, ${clientId} in ${object.place}`
    leaveOut(report, object, problem, 'pass the manifests of one cluster')
  }
  return accounts
}

function readAccount(object: ClusterObject, report: Report): Account {
  const { annotations, place } = object
  for (const { problem, fix } of findMisspelt(annotations)) {
    report.warning(formatObject('ServiceAccount', object), problem, fix)
  }
  const text = annotations[CLIENT_ID]
  const clientId = text?.trim().toLowerCase()
  if (clientId === undefined || isGuid(clientId)) return { object, clientId, isReported: false }
  const problem = `the annotation ${CLIENT_ID} in ${place} must be a GUID, not ${JSON.stringify(text)}`
  leaveOut(report, object, problem, CLIENT_ID_FIX)
  return { object, clientId: undefined, isReported: true }
}

function leaveOut(report: Report, object: ClusterObject, problem: string, fix: string): void {
  report.leaveOut(object.namespace, formatObject('ServiceAccount', object), problem, fix)
}
