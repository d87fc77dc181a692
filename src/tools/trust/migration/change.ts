/** The changes of a migration in one object. The JSON form is public: members are added, never renamed. */
import type { ClusterObjects } from '../cluster-objects.ts'
import type { KnownIdentity } from '../inventory.ts'

export interface Change {
  /** Such as `Deployment shop/orders`. */
  readonly object: string
  readonly isNew: boolean
  /** Lines such as `spec.template.metadata.labels: aadpodidbinding: orders`. */
  readonly remove: readonly string[]
  readonly add: readonly string[]
  /** The whole object, if it is new. */
  readonly manifest?: Readonly<Record<string, unknown>>
  /** Other facts to know and things to do. */
  readonly notes: readonly string[]
}

export interface Migration {
  readonly changes: readonly Change[]
  /** The objects as they are after the changes. */
  readonly objects: ClusterObjects
  /** The identities that the objects describe. */
  readonly known: readonly KnownIdentity[]
}

/** Returns a change; what is not given is empty. */
export function createChange(object: string, parts: Partial<Change>): Change {
  return { object, isNew: false, remove: [], add: [], notes: [], ...parts }
}
