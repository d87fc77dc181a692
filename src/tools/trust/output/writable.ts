/** The identities of a plan as the formats with commands and resources write them. */
import { formatManagedIdentityId } from '../../../lib/managed-identity.ts'
import { toLine } from '../../../lib/printable.ts'
import type { Plan, PlannedCredential, PlannedIdentity } from '../plan.ts'

export interface WritableIdentity extends PlannedIdentity {
  /** Letters, digits and `_`, unique in the plan. */
  readonly symbol: string
  /** Of a managed identity; undefined if it is not known. */
  readonly resourceId: string | undefined
}

/** Returns the identities that are written: one that would be over Azure's limit is left out. */
export function selectWritable({ identities }: Plan): WritableIdentity[] {
  const groups = Map.groupBy(identities, createSymbol)
  return identities
    .filter(({ isOverLimit }) => !isOverLimit)
    .map((identity) => {
      const { clientId, id } = identity
      const own = createSymbol(identity)
      const symbol = groups.get(own)?.length === 1 ? own : `${own}_${toSymbol(clientId)}`
      return { ...identity, symbol, resourceId: id && formatManagedIdentityId(id) }
    })
}

/** Returns the name, or the first part of the client id. */
function createSymbol({ id, clientId }: PlannedIdentity): string {
  if (id === undefined) return `identity_${clientId.slice(0, 8)}`
  return toSymbol(id.name).replace(/^(?=\d)/, '_')
}

function toSymbol(text: string): string {
  return text.replaceAll(/\W/g, '_').toLowerCase()
}

/** Describes an identity, such as `managed identity orders, client id 1111…`. */
export function describeIdentity({ kind, id, clientId }: PlannedIdentity): string {
  const title = kind === 'application' ? 'application' : 'managed identity'
  return toLine(`${title}${id === undefined ? '' : ` ${id.name}`}, client id ${clientId}`)
}

/** Describes the objects that need a credential, such as `For Deployment shop/orders`. */
export function describeSources({ sources }: PlannedCredential): string {
  return `For ${toLine(sources.join(', '))}`
}
