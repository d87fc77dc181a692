/** Where a tenant's tokens come from: the token endpoint of its cloud. */
import { findCloud } from './clouds.ts'

/** What MSAL is told of an authority, so that it asks nobody (E3). */
export interface Authority {
  /** `https://host/tenant` */
  readonly url: string
  /** Host and port, as MSAL compares them. */
  readonly host: string
  readonly tokenEndpoint: string
  /** Host and port of the token endpoint: the only ones that an assertion may be sent to. */
  readonly tokenHost: string
  /** The OpenID metadata that MSAL would otherwise fetch, as JSON. */
  readonly metadata: string
}

/**
 * The authority of a tenant under an origin such as `https://login.microsoftonline.com`. A host that
 * is another name of a cloud's is replaced by the cloud's own, as MSAL does. With a region tokens come
 * from the endpoint of that region.
 */
export function resolveAuthority(
  authorityHost: string,
  tenantId: string,
  region?: string,
): Authority {
  const { host: givenHost, hostname, port } = new URL(authorityHost)
  const cloud = port === '' ? findCloud(hostname) : undefined
  const host = cloud?.hosts[0] ?? givenHost
  const url = `https://${host}/${tenantId}`
  const tokenHost = region === undefined ? host : `${region}.${cloud?.regionalHost ?? host}`
  const tokenEndpoint = `https://${tokenHost}/${tenantId}/oauth2/v2.0/token`
  return {
    url,
    host,
    tokenEndpoint,
    tokenHost,
    metadata: JSON.stringify({
      token_endpoint: tokenEndpoint,
      authorization_endpoint: `${url}/oauth2/v2.0/authorize`,
      issuer: `${url}/v2.0`,
      jwks_uri: `${url}/discovery/v2.0/keys`,
    }),
  }
}
