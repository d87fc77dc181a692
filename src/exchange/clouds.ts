/** The clouds that Entra ID runs in, with what differs between them (E1). */

/** One national or sovereign cloud. */
export interface Cloud {
  readonly name: string
  /** The login host, and the names that it is also known by. */
  readonly hosts: readonly [string, ...string[]]
  /** The host whose subdomains are the regional endpoints. */
  readonly regionalHost: string
  /** What a projected token's audience is by custom; undefined: Microsoft names none. */
  readonly audience?: string
  /** The resource that every subscription has: Azure Resource Manager; undefined: not published. */
  readonly managementResource?: string
}

const CLOUDS: readonly Cloud[] = [
  {
    name: 'public',
    hosts: [
      'login.microsoftonline.com',
      'login.windows.net',
      'login.microsoft.com',
      'sts.windows.net',
    ],
    regionalHost: 'login.microsoft.com',
    audience: 'api://AzureADTokenExchange',
    managementResource: 'https://management.azure.com/',
  },
  {
    name: 'US Government',
    hosts: ['login.microsoftonline.us', 'login.usgovcloudapi.net'],
    regionalHost: 'login.microsoftonline.us',
    audience: 'api://AzureADTokenExchangeUSGov',
    managementResource: 'https://management.usgovcloudapi.net/',
  },
  {
    name: 'China',
    hosts: ['login.partner.microsoftonline.cn', 'login.chinacloudapi.cn'],
    regionalHost: 'login.partner.microsoftonline.cn',
    audience: 'api://AzureADTokenExchangeChina',
    managementResource: 'https://management.chinacloudapi.cn/',
  },
  { ...sovereign('France', 'fr'), audience: 'api://AzureADTokenExchangeFrance' },
  { ...sovereign('Germany', 'de'), audience: 'api://AzureADTokenExchangeGermany' },
  sovereign('Singapore', 'sg'),
]

/** The cloud of a login host; undefined for a host of one's own, such as an air-gapped cloud's. */
export function findCloud(host: string): Cloud | undefined {
  return CLOUDS.find(({ hosts }) => hosts.includes(host.toLowerCase()))
}

function sovereign(name: string, country: string): Cloud {
  const host = `login.sovcloud-identity.${country}`
  return { name, hosts: [host], regionalHost: host }
}
