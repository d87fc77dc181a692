/** Decides which claims of the input are believed: a client id or resource id in a manifest is only a claim. */
import { formatManagedIdentityId, type ManagedIdentityId } from '../managed-identity.ts'
import type { Report } from './finding.ts'
import type { KnownIdentity } from './inventory.ts'
import type { Need } from './needs.ts'

/** Describes an identity of the input, as Azure's list or else the objects know it. */
export function describeIdentity(
  clientId: string,
  needs: readonly Need[],
  known: readonly KnownIdentity[],
  report: Report,
): KnownIdentity {
  const listed = known.find((each) => each.clientId === clientId)
  const id = listed?.id ?? needs.find((need) => need.id !== undefined)?.id
  const kind = listed?.kind ?? needs.find((need) => need.kind !== undefined)?.kind
  if (kind === undefined && known.length > 0) {
    report.warning(
      clientId,
      'is not in the list of --identities; it is assumed to be a managed identity',
      'pass --application for an application registration',
    )
  }
  return { clientId, kind: kind ?? 'managed-identity', ...(id !== undefined && { id }) }
}

/** Reports a resource id that has another client id in Azure's list, or else in another object. */
export function checkResourceId(
  { clientId, id }: KnownIdentity,
  needs: readonly Need[],
  known: readonly KnownIdentity[],
  named: readonly KnownIdentity[],
  report: Report,
): boolean {
  if (id === undefined) return true
  const hasId = (each: KnownIdentity) => each.id !== undefined && isSameIdentity(each.id, id)
  const listed = known.find(hasId)
  const other = (listed === undefined ? named.filter(hasId) : [listed]).find(
    (each) => each.clientId !== clientId,
  )
  if (other === undefined) return true
  for (const { namespace } of needs) report.keep({ namespace })
  report.error(
    clientId,
    `is left out of the output: its resource id ${formatManagedIdentityId(id)} is that of ${other.clientId}`,
    'correct the manifest that names it, or pass --identities',
  )
  return false
}

/**
 * Returns the needs of the namespaces that may use the identity. A client id in a manifest is only a claim, so
 * without a list of namespaces it is believed of only one namespace.
 */
export function selectAllowed(
  needs: readonly Need[],
  allowed: readonly string[] | undefined,
  report: Report,
): readonly Need[] {
  const claims = [...Map.groupBy(needs, ({ namespace }) => namespace)]
  const isAllowed = (namespace: string) => allowed?.includes(namespace) ?? claims.length === 1
  const refused = claims.flatMap(([namespace, [first]]) =>
    first === undefined || isAllowed(namespace) ? [] : [`${namespace} (${first.source})`],
  )
  const [{ clientId } = { clientId: '' }] = needs
  if (refused.length > 0) {
    const names = refused.toSorted().join(', ')
    const fix = `correct false claims, and allow the right namespaces by --allow ${clientId}=NAMESPACE,NAMESPACE`
    const consequence = 'no credential for them is in the output'
    if (allowed === undefined) {
      for (const [namespace] of claims) report.keep({ namespace })
      report.error(clientId, `is claimed from several namespaces: ${names}; ${consequence}`, fix)
    } else {
      // The operator has decided this claim by --allow. As an error, it would let anyone who may create a ServiceAccount fail
      // the plan for ever.
      const problem = `is claimed from namespaces that are not allowed: ${names}; ${consequence}`
      report.warning(clientId, problem, fix)
    }
  }
  return needs.filter(({ namespace }) => isAllowed(namespace))
}

/** Returns true if both are the same identity. */
function isSameIdentity(one: ManagedIdentityId, other: ManagedIdentityId): boolean {
  const [first, second] = [one, other].map((id) => formatManagedIdentityId(id).toLowerCase())
  return first === second
}
