/** Identities, and the selectors by which requests name them. */
import { BrokerError } from '../lib/errors.ts'
import { firstItems, printable } from '../lib/printable.ts'
import { normalizeResource } from '../lib/resource.ts'

/** An Entra ID identity that this sidecar gets tokens for. */
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
  /** The destination of its exchanges if there is a token proxy of AKS identity bindings; undefined: its assertion decides. */
  readonly exchangeVia?: 'entra' | 'token-proxy' | undefined
  readonly objectId?: string | undefined
  /** ARM id, in lower case. */
  readonly resourceId?: string | undefined
  /** The allowed resources in the form of `normalizeResource`; undefined: all. */
  readonly resources?: readonly string[] | undefined
  readonly prefetch: readonly string[]
}

export type Selector =
  | { readonly by: 'default' }
  | { readonly by: 'clientId' | 'objectId' | 'resourceId'; readonly value: string }

export interface IdentityDirectory {
  readonly identities: readonly Identity[]
  /** The identity of a request without a selector. A single one is the default, as on a VM with one assigned identity. */
  readonly defaultIdentity?: Identity | undefined
  /** Creates the identity of a client id that is not configured; undefined: such ids are rejected. */
  readonly unlisted?: ((clientId: string) => Identity) | undefined
}

export type IdentityResolver = (selector: Selector) => Identity

/**
 * Creates the resolver of a directory. It returns the selected identity and never another one. It throws `identity_not_found`
 * if no identity matches. Without a selector it throws `identity_ambiguous` if several are configured and none is the default.
 */
export function createIdentityResolver(directory: IdentityDirectory): IdentityResolver {
  const { identities, defaultIdentity } = directory
  const findByClientId = createClientIdLookup(directory)
  const byObjectId = indexBy(identities, ({ objectId }) => objectId)
  const byResourceId = indexBy(identities, ({ resourceId }) => resourceId)

  return (selector) => {
    if (selector.by === 'default') {
      if (defaultIdentity !== undefined) return defaultIdentity
      throw createNoDefaultError(identities)
    }
    const value = selector.value.toLowerCase()
    const found =
      selector.by === 'clientId'
        ? findByClientId(value)
        : { objectId: byObjectId, resourceId: byResourceId }[selector.by].get(value)
    if (found !== undefined) return found
    if (selector.by === 'objectId') {
      const named = identities.find(({ clientId }) => clientId === value)
      if (named !== undefined) throw createClientIdError(named)
    }
    throw new BrokerError(
      'identity_not_found',
      `no identity of this sidecar has the ${PARAMETER[selector.by]} ${printable(value)}; configured: ${formatIdentities(identities, selector.by)}`,
      `correct the request, or set the ${PARAMETER[selector.by]} of the identity in the identities file`,
    )
  }
}

/** Creates the function that returns the identity of a client id in lower case, or undefined if the id is rejected. */
export function createClientIdLookup({
  identities,
  unlisted,
}: IdentityDirectory): (clientId: string) => Identity | undefined {
  const byClientId = indexBy(identities, ({ clientId }) => clientId)
  return (clientId) => byClientId.get(clientId) ?? unlisted?.(clientId)
}

export function isAllowedResource({ resources }: Identity, resource: string): boolean {
  return resources === undefined || resources.includes(normalizeResource(resource))
}

/** Throws `resource_not_allowed` if the identity may not request tokens for the resource. */
export function requireAllowedResource(identity: Identity, resource: string): void {
  if (isAllowedResource(identity, resource)) return
  const { name, resources = [] } = identity
  throw new BrokerError(
    'resource_not_allowed',
    `the identity ${name} may not request tokens for ${printable(resource)}; its resources are ${formatList(resources)}`,
    'correct the request, or add the resource to the identity in the identities file',
  )
}

const PARAMETER = {
  clientId: 'client id',
  objectId: 'object id',
  resourceId: 'resource id',
} as const

const MAX_LISTED = 5

/** Formats the names of the identities, each with the kind of id that a request named. */
function formatIdentities(
  identities: readonly Identity[],
  by: keyof typeof PARAMETER = 'clientId',
): string {
  return formatList(
    identities.map(({ name, [by]: id }) =>
      id === undefined
        ? `${name} (no ${PARAMETER[by]})`
        : `${name} (${PARAMETER[by]} ${printable(id)})`,
    ),
  )
}

function formatList(items: readonly string[]): string {
  return items.length === 0 ? 'none' : firstItems(items, MAX_LISTED).join(', ')
}

/** Creates the error for a client id sent as an object id. SqlClient before 3.0 sends its `User Id` in this way. */
function createClientIdError({ name, clientId, objectId }: Identity): BrokerError {
  const other =
    objectId === undefined
      ? 'set its objectId in the identities file and write that id as User Id'
      : `write ${objectId} as User Id`
  return new BrokerError(
    'identity_not_found',
    `${clientId} is the client id of ${name}, but the request names it as an object id`,
    `send client_id=${clientId}. In a connection string of Microsoft.Data.SqlClient 2, whose User Id is an object id, ${other}, or leave User Id out for the default identity`,
  )
}

function createNoDefaultError(identities: readonly Identity[]): BrokerError {
  return identities.length === 0
    ? new BrokerError(
        'identity_not_found',
        'no default identity is configured',
        'set AZURE_CLIENT_ID, or send client_id',
      )
    : new BrokerError(
        'identity_ambiguous',
        `${identities.length} identities are configured and none is the default: ${formatIdentities(identities)}`,
        'send client_id, or mark one as default',
      )
}

/** Indexes the identities by a key. If several have the same key, the first one wins. */
function indexBy(
  identities: readonly Identity[],
  selectKey: (identity: Identity) => string | undefined,
): ReadonlyMap<string | undefined, Identity> {
  return new Map(identities.toReversed().map((identity) => [selectKey(identity), identity]))
}
