/** Which identity a request means: the selector a caller sent, held against the identities configured. */
import { BrokerError } from './errors.ts'
import { normalizeResource } from './resource.ts'

/** Straight to Entra ID, or through the token proxy of AKS identity bindings. */
export type ExchangeVia = 'entra' | 'token-proxy'

/** One Entra identity that this sidecar can act as. */
export interface Identity {
  readonly name: string
  /** GUID in lower case. */
  readonly clientId: string
  /** GUID or verified domain, in lower case. */
  readonly tenantId: string
  /** Origin of the Entra ID cloud, such as `https://login.microsoftonline.com`. */
  readonly authorityHost: string
  /** Path of the projected service-account token. */
  readonly tokenFile: string
  /** Where its exchanges go if there is a token proxy; undefined: the audience of its assertion decides. */
  readonly exchangeVia?: ExchangeVia
  readonly objectId?: string
  /** ARM id, in lower case. */
  readonly resourceId?: string
  /** The resources it may ask for, as `normalizeResource` writes them; undefined: any. */
  readonly resources?: readonly string[]
  readonly prefetch: readonly string[]
}

/** How a request names the identity it wants. */
export type Selector =
  | { readonly by: 'default' }
  | { readonly by: 'clientId' | 'objectId' | 'resourceId'; readonly value: string }

/** Everything needed to answer selectors. */
export interface IdentityDirectory {
  readonly identities: readonly Identity[]
  readonly defaultIdentity?: Identity
  /** Makes the identity of a client id that is not listed; undefined: such ids are refused. */
  readonly unlisted?: (clientId: string) => Identity
}

export type IdentityResolver = (selector: Selector) => Identity

/**
 * Answers selectors from a directory. Throws `identity_not_found` for one that matches nothing (never
 * another identity in its stead) and `identity_ambiguous` for no selector among several identities.
 */
export function createIdentityResolver(directory: IdentityDirectory): IdentityResolver {
  const { identities, defaultIdentity, unlisted } = directory
  const byClientId = indexBy(identities, ({ clientId }) => clientId)
  const byObjectId = indexBy(identities, ({ objectId }) => objectId)
  const byResourceId = indexBy(identities, ({ resourceId }) => resourceId)

  return (selector) => {
    if (selector.by === 'default') return defaultIdentity ?? single(identities)
    const value = selector.value.toLowerCase()
    const found = { clientId: byClientId, objectId: byObjectId, resourceId: byResourceId }[
      selector.by
    ].get(value)
    if (found !== undefined) return found
    if (selector.by === 'clientId' && unlisted !== undefined) return unlisted(value)
    throw new BrokerError(
      'identity_not_found',
      `no identity of this sidecar has the ${PARAMETER[selector.by]} that was asked for`,
    )
  }
}

/** Throws `resource_not_allowed` for a resource outside the identity's allow-list. */
export function requireAllowedResource(identity: Identity, resource: string): void {
  const { name, resources } = identity
  if (resources === undefined || resources.includes(normalizeResource(resource))) return
  throw new BrokerError(
    'resource_not_allowed',
    `the identity ${name} is not allowed to ask for this resource: add it to its resources in the identities file`,
  )
}

const PARAMETER = {
  clientId: 'client id',
  objectId: 'object id',
  resourceId: 'resource id',
} as const

/** A single identity needs no selector, as on a VM with one user-assigned identity. */
function single(identities: readonly Identity[]): Identity {
  const [only, ...others] = identities
  if (only !== undefined && others.length === 0) return only
  if (only === undefined) {
    throw new BrokerError(
      'identity_not_found',
      'no default identity is configured: set AZURE_CLIENT_ID, or name a client_id in the request',
    )
  }
  throw new BrokerError(
    'identity_ambiguous',
    'several identities are configured and none of them is the default',
  )
}

function indexBy(
  identities: readonly Identity[],
  keyOf: (identity: Identity) => string | undefined,
): ReadonlyMap<string, Identity> {
  const index = new Map<string, Identity>()
  for (const identity of identities) {
    const key = keyOf(identity)
    if (key !== undefined && !index.has(key)) index.set(key, identity)
  }
  return index
}
