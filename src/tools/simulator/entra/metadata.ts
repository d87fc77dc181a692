/** Discovery document and key set of the simulated Entra ID. */
import type { JWK } from 'jose'
import { formatV2Issuer } from './access-token.ts'
import { findTenant, type Directory } from './directory.ts'
import { createJsonResponse } from '../http/handler.ts'
import { createErrorResponse, EntraError } from './entra-error.ts'

interface MetadataContext {
  readonly directory: Directory
  readonly jwk: JWK
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
}

/** Answers every path except the token endpoint; 404 without a body for an unknown path. */
export function answerMetadataRequest(
  request: Request,
  { directory, jwk, now }: MetadataContext,
): Response {
  const { origin, pathname } = new URL(request.url)
  const headers = {
    date: new Date(now).toUTCString(),
    'access-control-allow-origin': '*',
    'cache-control': 'max-age=86400, private',
  }
  if (request.method !== 'GET') return new Response(null, { status: 404, headers })
  const [, name = '', rest] = /^\/([^/]+)\/(.+)$/u.exec(pathname) ?? []
  const isKeys = rest === 'discovery/v2.0/keys'
  if (!isKeys && rest !== 'v2.0/.well-known/openid-configuration') {
    return new Response(null, { status: 404, headers })
  }
  const tenant = findTenant(directory, name)
  if (!tenant && !(isKeys && name === 'common')) {
    const error = new EntraError(90002, `Tenant '${name}' not found.`, { error: 'invalid_tenant' })
    return createErrorResponse(error, { request, now })
  }
  if (isKeys) return createJsonResponse(200, { keys: [jwk] }, headers)
  return createJsonResponse(200, createOpenidConfiguration(origin, tenant?.id ?? ''), headers)
}

function createOpenidConfiguration(origin: string, tenantId: string) {
  const base = `${origin}/${tenantId}`
  return {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: formatV2Issuer(origin, tenantId),
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'tid', 'ver'],
    tenant_region_scope: 'EU',
    cloud_instance_name: new URL(origin).host,
  }
}
