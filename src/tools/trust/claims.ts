/** Decides which claims of the input are believed: a client id in a manifest is only a claim. */
import type { Report } from './finding.ts'
import type { KnownIdentity } from './inventory.ts'
import type { Need } from './needs.ts'

/** Returns the identity with the client id, as the list of Azure has it, or else as a managed identity. */
export function describeIdentity(
  clientId: string,
  known: readonly KnownIdentity[],
  report: Report,
): KnownIdentity {
  const listed = known.find((each) => each.clientId === clientId)
  if (listed === undefined && known.length > 0) {
    report.warning(
      clientId,
      'is not in the list of --identities; it is assumed to be a managed identity',
      'pass --application for an application registration',
    )
  }
  return listed ?? { clientId, kind: 'managed-identity' }
}

/**
 * Returns the needs of the namespaces that may use the identity with the client id. A client id in a manifest is only a claim: without a list
 * of allowed namespaces it is believed only if a single namespace makes it.
 */
export function selectAllowed(
  clientId: string,
  needs: readonly Need[],
  allowed: readonly string[] | undefined,
  report: Report,
): readonly Need[] {
  const claims = [...Map.groupBy(needs, ({ namespace }) => namespace)]
  const isAllowed = (namespace: string) => allowed?.includes(namespace) ?? claims.length === 1
  const refused = claims.flatMap(([namespace, [first]]) =>
    first === undefined || isAllowed(namespace) ? [] : [`${namespace} (${first.source})`],
  )
  if (refused.length > 0) {
    const names = refused.toSorted().join(', ')
    const fix = `correct false claims, and allow the right namespaces by --allow ${clientId}=NAMESPACE,NAMESPACE`
    const consequence = 'no credential for them is in the output'
    if (allowed === undefined) {
      for (const [namespace] of claims) report.keep(namespace)
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
