/** Plans the federated credentials of a cluster: compares the needed ones with the ones in Azure. */
import { createCredentialName } from '../managed-identity.ts'
import { describeIdentity, selectAllowed } from './claims.ts'
import type { ClusterObjects } from './cluster-objects.ts'
import type { Report } from './finding.ts'
import type { ExistingCredential, KnownIdentity } from './inventory.ts'
import { findNeeds, type Need, REQUEST_FIX, type TrustOptions } from './needs.ts'

/** How many federated credentials Azure allows for an identity. */
export const CREDENTIAL_LIMIT = 20

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
  /**
   * - `unknown`: no list of the identity's credentials was given
   * - `present`, `missing`: it exists, or not
   * - `different`: one exists for the subject, but its audience or the trailing slash of its issuer differs
   */
  readonly state: 'unknown' | 'present' | 'missing' | 'different'
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
  if (options.clientId !== undefined && !needs.some((each) => each.clientId === options.clientId)) {
    report.warning(
      '--client-id',
      `no credential for ${options.clientId} is in the output, since only injected workloads whose ServiceAccount names no identity get it`,
      REQUEST_FIX,
    )
  }
  const byClientId = [...Map.groupBy(needs, ({ clientId }) => clientId)].toSorted(
    ([one], [other]) => (one < other ? -1 : 1),
  )
  const identities = byClientId
    .map(([clientId, claims]) => ({
      identity: describeIdentity(clientId, known, report),
      allowed: selectAllowed(clientId, claims, options.allowed.get(clientId), report),
    }))
    .filter(({ allowed }) => allowed.length > 0)
    // The claims of all identities come first: a refused claim keeps credentials of every identity from being called extra.
    .map(({ allowed, identity }) => {
      const merged = mergeNeeds(allowed, report)
      const credentials = existing.get(identity.clientId)
      return planIdentity(identity, merged, credentials, options.issuer, report)
    })
  return { issuer: options.issuer, identities }
}

/** Merges the needs of each subject: Azure allows one credential for a subject, with one audience. */
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
  const unneeded = (existing ?? []).filter(
    // A flexible credential has an expression in place of a subject, so it is not known what needs it.
    (each) => each.issuer === issuer && each.subject !== '' && !names.has(each.name),
  )
  const extra = findExtra(unneeded, identity.clientId, report)
  if (isOverLimit) {
    const extras = extra.length === 0 ? '' : `, ${extra.length} of them extra`
    report.error(
      identity.clientId,
      `would have ${count} federated credentials${extras}, but Azure allows ${CREDENTIAL_LIMIT}; -o az writes none of them`,
      LIMIT_FIX,
    )
  }
  return {
    ...identity,
    credentials,
    extra,
    count,
    isCompared: existing !== undefined,
    isOverLimit,
  }
}

/** Returns the extra credentials. Reports those that an object outside the plan may need, and leaves them out. */
function findExtra(
  unneeded: readonly ExistingCredential[],
  clientId: string,
  report: Report,
): ExistingCredential[] {
  const kept = unneeded.filter(({ subject }) => report.isKept(subject))
  if (kept.length > 0) {
    const subjects = kept.map(({ subject }) => subject).join(', ')
    const problem = `its credentials for ${subjects} are not called extra: an object that was not read, has its client id elsewhere or does not request injection may need them`
    report.warning(
      clientId,
      problem,
      `correct the other findings. If a workload of these ServiceAccounts uses wimds, ${REQUEST_FIX}. If none does, delete the credentials by hand`,
    )
  }
  return unneeded.filter((each) => !kept.includes(each))
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

const LIMIT_FIX =
  'delete the extra ones that nothing else needs, by the commands of -o az. If that is not enough, split the workloads over several identities, or let the workloads of a namespace share a ServiceAccount. On AKS, an identity binding (az aks identity-binding create) needs one credential for any number of clusters and ServiceAccounts'
