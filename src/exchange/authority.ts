/** Where a tenant's tokens come from: the token endpoint of its cloud. */

/** What MSAL is told of an authority, so that it asks nobody (Entra contract 1.4). */
export interface Authority {
  /** `https://host/tenant` */
  readonly url: string
  /** Host and port, as MSAL compares them. */
  readonly host: string
  readonly tokenEndpoint: string
  /** The OpenID metadata that MSAL would otherwise fetch, as JSON. */
  readonly metadata: string
}

/** The authority of a tenant under an origin such as `https://login.microsoftonline.com`. */
export function authorityOf(authorityHost: string, tenantId: string): Authority {
  const url = `${authorityHost}/${tenantId}`
  const tokenEndpoint = `${url}/oauth2/v2.0/token`
  return {
    url,
    host: new URL(authorityHost).host,
    tokenEndpoint,
    metadata: JSON.stringify({
      token_endpoint: tokenEndpoint,
      authorization_endpoint: `${url}/oauth2/v2.0/authorize`,
      issuer: `${url}/v2.0`,
      jwks_uri: `${url}/discovery/v2.0/keys`,
    }),
  }
}
