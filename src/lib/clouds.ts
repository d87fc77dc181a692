/** The clouds of Entra ID (E1), and the token endpoints of tenants. */

/** One national or sovereign cloud. */
export interface Cloud {
  readonly name: string
  /** The login host, followed by its aliases. */
  readonly hosts: readonly [string, ...string[]]
  /** The host whose subdomains are the regional endpoints, if it is not the login host. */
  readonly regionalHost?: string
  /** `azEnvironment` of the instance document; undefined: Microsoft documents none. */
  readonly azEnvironment?: string
  /** The usual audience of projected tokens; undefined: Microsoft documents none. */
  readonly audience?: string
}

/** The audience of projected tokens in the public cloud. The audiences of the other clouds begin with it. */
export const DEFAULT_AUDIENCE = 'api://AzureADTokenExchange'
const FEDERATION_AUDIENCE = new RegExp(String.raw`^${DEFAULT_AUDIENCE}\w*$`)

/** Every known cloud. docs/configuration.md has a row for each. */
export const CLOUDS: readonly Cloud[] = [
  {
    name: 'Public',
    hosts: [
      'login.microsoftonline.com',
      'login.windows.net',
      'login.microsoft.com',
      'sts.windows.net',
    ],
    regionalHost: 'login.microsoft.com',
    azEnvironment: 'AzurePublicCloud',
    audience: DEFAULT_AUDIENCE,
  },
  {
    name: 'US Government',
    hosts: ['login.microsoftonline.us', 'login.usgovcloudapi.net'],
    azEnvironment: 'AzureUSGovernmentCloud',
    audience: 'api://AzureADTokenExchangeUSGov',
  },
  {
    name: 'China',
    hosts: ['login.partner.microsoftonline.cn', 'login.chinacloudapi.cn'],
    azEnvironment: 'AzureChinaCloud',
    audience: 'api://AzureADTokenExchangeChina',
  },
  {
    name: 'France',
    hosts: ['login.sovcloud-identity.fr'],
    audience: 'api://AzureADTokenExchangeFrance',
  },
  {
    name: 'Germany',
    hosts: ['login.sovcloud-identity.de'],
    audience: 'api://AzureADTokenExchangeGermany',
  },
  {
    name: 'Singapore',
    hosts: ['login.sovcloud-identity.sg'],
  },
]

/** Returns the cloud of a login host; undefined for a private host, such as the host of an air-gapped cloud. */
export function findCloud(host: string): Cloud | undefined {
  return CLOUDS.find(({ hosts }) => hosts.includes(host.toLowerCase()))
}

/**
 * Returns host and port of an origin such as `https://login.microsoftonline.com`. Replaces an alias by the
 * cloud's own login host, as MSAL does, so that the origins of one cloud have one login host.
 */
export function resolveLoginHost(authorityHost: string): string {
  const { host, hostname, port } = new URL(authorityHost)
  const cloud = port === '' ? findCloud(hostname) : undefined
  return cloud?.hosts[0] ?? host
}

/** The token endpoint of a tenant, and the metadata that MSAL would otherwise fetch (E3). */
export type Authority = ReturnType<typeof resolveAuthority>

/** Returns the authority of a tenant for an origin. With a region the token endpoint is regional. */
export function resolveAuthority(authorityHost: string, tenantId: string, region?: string) {
  const host = resolveLoginHost(authorityHost)
  const url = `https://${host}/${tenantId}`
  const tokenHost =
    region === undefined ? host : `${region}.${findCloud(host)?.regionalHost ?? host}`
  return {
    url,
    /** Host and port, as MSAL compares them. */
    host,
    /** Host and port of the token endpoint. An assertion may be sent to no other host. */
    tokenHost,
    /** OpenID provider metadata as JSON, with the token endpoint. */
    metadata: JSON.stringify({
      token_endpoint: `https://${tokenHost}/${tenantId}/oauth2/v2.0/token`,
      authorization_endpoint: `${url}/oauth2/v2.0/authorize`,
      issuer: `${url}/v2.0`,
      jwks_uri: `${url}/discovery/v2.0/keys`,
    }),
  }
}

/**
 * Returns the usual audience of projected tokens in the cloud of a login host. If none is known, returns the audience of the
 * public cloud.
 */
export function findAudience(authorityHost: string): string {
  return findCloud(new URL(authorityHost).hostname)?.audience ?? DEFAULT_AUDIENCE
}

/** Returns true for an audience of projected tokens that Entra ID itself accepts, in any cloud. */
export function isFederationAudience(audience: string): boolean {
  return FEDERATION_AUDIENCE.test(audience)
}
