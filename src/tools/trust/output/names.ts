/** Names identities in comments and as symbols of the output. */
import type { Finding } from '../finding.ts'
import { formatManagedIdentityId } from '../../../lib/managed-identity.ts'
import { toLine } from '../../../lib/printable.ts'
import type { PlannedIdentity } from '../plan.ts'

/** The text in one format. */
export interface Output {
  readonly text: string
  /** The values that the format cannot express. */
  readonly findings: readonly Finding[]
}

/** Returns the finding that an identity is left out of the output. */
export function omit({ clientId }: PlannedIdentity, reason: string): Finding {
  return { severity: 'error', object: clientId, message: `is left out of the output: ${reason}` }
}

/** Describes an identity, such as `managed identity orders, client id 1111…`. */
export function describeIdentity({ kind, id, clientId }: PlannedIdentity): string {
  const title = kind === 'application' ? 'application' : 'managed identity'
  return toLine(`${title}${id === undefined ? '' : ` ${id.name}`}, client id ${clientId}`)
}

/**
 * Returns a symbol of letters, digits and `_` for each identity: its name, or the first part of its client id.
 * The whole client id is appended where that is another one's, too.
 */
export function createSymbols(
  identities: readonly PlannedIdentity[],
): ReadonlyMap<PlannedIdentity, string> {
  const groups = Map.groupBy(identities, createSymbol)
  return new Map(
    identities.map((identity) => {
      const symbol = createSymbol(identity)
      const isUnique = groups.get(symbol)?.length === 1
      return [identity, isUnique ? symbol : `${symbol}_${toSymbol(identity.clientId)}`]
    }),
  )
}

function createSymbol({ id, clientId }: PlannedIdentity): string {
  if (id === undefined) return `identity_${clientId.slice(0, 8)}`
  return toSymbol(id.name).replace(/^(?=\d)/, '_')
}

function toSymbol(text: string): string {
  return text.replaceAll(/\W/g, '_').toLowerCase()
}

/** Returns the resource id of a managed identity; undefined if it is not known. */
export function findResourceId({ id }: PlannedIdentity): string | undefined {
  return id && formatManagedIdentityId(id)
}

/** Returns the identities of the output: one that would be over Azure's limit is left out. */
export function selectWritable(identities: readonly PlannedIdentity[]): readonly PlannedIdentity[] {
  return identities.filter(({ isOverLimit }) => !isOverLimit)
}
