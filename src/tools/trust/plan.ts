/** Plans the federated credentials of a cluster: compares the needed ones with the ones in Azure. */
import type { ClusterObjects } from './cluster-objects.ts'
import {
  createCredentialName,
  formatManagedIdentityId,
  type ManagedIdentityId,
} from '../managed-identity.ts'
import type { Report } from './finding.ts'
import type { ExistingCredential, IdentityKind, KnownIdentity } from './inventory.ts'
import { findNeeds, type Need, type TrustOptions } from './needs.ts'

/** How many federated credentials Azure allows for an identity. */
export const CREDENTIAL_LIMIT = 20

/**
 * - `unknown`: no list of the identity's credentials was given
 * - `present`, `missing`: it exists, or not
 * - `different`: one for the subject exists whose audience, or the trailing slash of whose issuer, differs
 */
type CredentialState = 'unknown' | 'present' | 'missing' | 'different'

/** A credential that the objects need. */
interface NeededCredential {
  readonly subject: string
  readonly audience: string
  /** The objects that need it. */
  readonly sources: readonly string[]
}

export interface PlannedCredential extends NeededCredential {
  readonly issuer: string
  /** The name of the existing credential, if there is one. */
  readonly name: string
  readonly state: CredentialState
  /** If it is different: the values in Azure. */
  readonly existing?: ExistingCredential
}

export interface PlannedIdentity extends KnownIdentity {
  /** The credentials, in the order in which they are to be written. */
  readonly credentials: readonly PlannedCredential[]
  /** Existing credentials of the same issuer that nothing in the input needs. */
  readonly extra: readonly ExistingCredential[]
  /** How many credentials the identity has in the end; without a list of the existing ones, only the planned ones. */
  readonly count: number
  readonly isCompared: boolean
  readonly isOverLimit: boolean
}

export type Plan = ReturnType<typeof createTrustPlan>

export interface Inventory {
  readonly known: readonly KnownIdentity[]
  /** The credentials by the client id of their identity. */
  readonly existing: ReadonlyMap<string, readonly ExistingCredential[]>
}

/** Creates the plan. Reports the objects that are left out of it. */
export function createTrustPlan(
  objects: ClusterObjects,
  { known, existing }: Inventory,
  options: TrustOptions,
  report: Report,
) {
  const needs = findNeeds(objects, options, report)
  const byClientId = [...Map.groupBy(needs, ({ clientId }) => clientId)].toSorted(
    ([one], [other]) => (one < other ? -1 : 1),
  )
  // A namespace that may not use an identity must not influence which identity of Azure is chosen.
  const described = byClientId.map(([clientId, claims]) => {
    const allowed = selectAllowed(claims, options.allowed.get(clientId), report)
    return { allowed, identity: describeIdentity(clientId, allowed, known, report) }
  })
  const named = described.map(({ identity }) => identity)
  const identities = described.flatMap(({ allowed, identity }) => {
    if (allowed.length === 0 || !checkResourceId(identity, known, named, report)) return []
    const merged = mergeNeeds(allowed, report)
    const credentials = existing.get(identity.clientId)
    return [planIdentity(identity, merged, credentials, options.issuer, report)]
  })
  return { issuer: options.issuer, identities }
}

function describeIdentity(
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
function checkResourceId(
  { clientId, id }: KnownIdentity,
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
function selectAllowed(
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

/** Merges the needs of each subject. Azure allows one credential for it, with one audience. */
function mergeNeeds(needs: readonly Need[], report: Report): NeededCredential[] {
  const groups = [...Map.groupBy(needs, ({ subject }) => subject)]
  return groups
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([, group]) => {
      const [first] = group
      if (first === undefined) return []
      const { clientId, subject, audience } = first
      for (const other of group) {
        if (other.audience === audience) continue
        report.error(
          other.source,
          `projects a token with the audience ${JSON.stringify(other.audience)}, but ${first.source} one with ${JSON.stringify(audience)}: the identity ${clientId} can have one credential for ${subject}, with one audience`,
          'use one audience, or two ServiceAccounts',
        )
      }
      const sources = new Set(group.map(({ source }) => source))
      return [{ subject, audience, sources: [...sources] }]
    })
}

function planIdentity(
  identity: KnownIdentity,
  merged: readonly NeededCredential[],
  existing: readonly ExistingCredential[] | undefined,
  issuer: string,
  report: Report,
): PlannedIdentity {
  const credentials = merged.map((each) => compare({ issuer, ...each }, existing))
  const names = new Set(
    credentials.filter(({ state }) => state !== 'missing').map(({ name }) => name),
  )
  const missing = credentials.filter(({ state }) => state === 'missing')
  const count = existing === undefined ? credentials.length : existing.length + missing.length
  const isOverLimit = count > CREDENTIAL_LIMIT
  if (isOverLimit) {
    report.error(
      identity.clientId,
      `would have ${count} federated credentials, but Azure allows ${CREDENTIAL_LIMIT}; only -o text and json list them`,
      findLimitFix(identity.kind),
    )
  }
  return {
    ...identity,
    credentials,
    extra: (existing ?? []).filter((each) => each.issuer === issuer && !names.has(each.name)),
    count,
    isCompared: existing !== undefined,
    isOverLimit,
  }
}

function compare(
  needed: NeededCredential & Pick<PlannedCredential, 'issuer'>,
  existing: readonly ExistingCredential[] | undefined,
): PlannedCredential {
  const { issuer, subject, audience } = needed
  const name = createCredentialName(issuer, subject)
  if (existing === undefined) return { ...needed, name, state: 'unknown' }
  const ofSubject = existing.filter((each) => each.subject === subject)
  const found =
    ofSubject.find((each) => each.issuer === issuer) ??
    ofSubject.find((each) => removeSlash(each.issuer) === removeSlash(issuer))
  if (found === undefined) return { ...needed, name, state: 'missing' }
  const isSame = found.issuer === issuer && found.audiences.join('\n') === audience
  return isSame
    ? { ...needed, name: found.name, state: 'present' }
    : { ...needed, name: found.name, state: 'different', existing: found }
}

const removeSlash = (url: string) => url.replace(/\/$/, '')

function findLimitFix(kind: IdentityKind): string {
  const split =
    'split the workloads over several identities, or let the workloads of a namespace share a ServiceAccount'
  return kind === 'application'
    ? `${split}; identity bindings are for managed identities only`
    : `on AKS use an identity binding, which needs one credential for any number of clusters and ServiceAccounts (az aks identity-binding create); elsewhere ${split}`
}

/** Returns true if both are the same identity. */
function isSameIdentity(one: ManagedIdentityId, other: ManagedIdentityId): boolean {
  const [first, second] = [one, other].map((id) => formatManagedIdentityId(id).toLowerCase())
  return first === second
}
