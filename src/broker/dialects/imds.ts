/** The dialect of the Azure Instance Metadata Service: GET /metadata/identity/oauth2/token. */
import type { BrokerError } from '../../lib/errors.ts'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import {
  createJsonReply,
  type Dialect,
  findOAuthError,
  formatDescription,
  formatOwnMember,
  type Reply,
  requireMetadataHeader,
  type TokenAnswer,
  type TokenQuery,
} from './dialect.ts'
import { parseParameters, parseResource, parseSelector, requireApiVersion } from './parameters.ts'

/** The first api-version of the token endpoint; every later date is accepted (R9). */
const FIRST_API_VERSION = '2018-02-01'

export const imds = {
  name: 'imds',
  path: TOKEN_PATHS.imds,
  methods: ['GET'],
  parse: createParse(FIRST_API_VERSION),
  render,
  renderError,
} satisfies Dialect

/** IMDS as the azure-workload-identity proxy implements it: with any api-version, or none. */
export const imdsOfAnyVersion: Dialect = { ...imds, parse: createParse(undefined) }

function createParse(firstVersion: string | undefined): Dialect['parse'] {
  // Keeps the last query, since an application repeats it. Parsing it each time would cost a cached request 8 % more CPU.
  let last: { readonly text: string; readonly query: TokenQuery } | undefined
  return (request) => {
    requireMetadataHeader(request)
    const { query: text } = request
    if (last?.text !== text) last = { text, query: parseQuery(text, firstVersion) }
    return last.query
  }
}

function parseQuery(text: string, firstVersion: string | undefined): TokenQuery {
  const parameters = parseParameters(text)
  if (firstVersion !== undefined) requireApiVersion(parameters, firstVersion)
  return {
    resource: parseResource(parameters),
    selector: parseSelector(parameters),
    ...(parameters.get('bypass_cache')?.toLowerCase() === 'true' && { bypassCache: true }),
  }
}

/** The real IMDS dates `not_before` five minutes before the token was issued. */
const BACKDATED_SECONDS = 300

/** Renders the body that every client accepts: strings only, in the real service's order (R2-R4). */
function render({ query, identity, token, expiresIn, expiresOn }: TokenAnswer): Reply {
  const lifetime = Math.floor(token.lifetime.lengthMs / 1000)
  return createJsonReply(200, {
    access_token: token.secret.reveal(),
    client_id: identity.clientId,
    expires_in: String(expiresIn),
    expires_on: String(expiresOn),
    // The whole lifetime, which stays the same while expires_in falls.
    ext_expires_in: String(lifetime),
    not_before: String(expiresOn - lifetime - BACKDATED_SECONDS),
    resource: query.resource,
    token_type: 'Bearer',
  })
}

function renderError(error: BrokerError): Reply {
  return createJsonReply(error.status, {
    error: findOAuthError(error),
    error_description: formatDescription(error),
    ...formatOwnMember(error),
    ...formatEntraMembers(error),
  })
}

/** Returns the members that the real service passes on from a rejection of Entra ID, in its order. */
function formatEntraMembers({ entra = {} }: BrokerError) {
  const { aadsts, timestamp, traceId, correlationId, errorUri } = entra
  // JSON leaves out undefined members.
  return {
    error_codes: aadsts === undefined ? undefined : [aadsts],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    error_uri: errorUri,
  }
}
