import { describe, expect, test } from 'vitest'
import {
  type Authority,
  findAudience,
  isFederationAudience,
  resolveAuthority,
} from '../../src/lib/clouds.ts'

const TENANT = '22222222-2222-4222-8222-222222222222'

const tokenEndpointOf = ({ metadata }: Authority) => JSON.parse(metadata).token_endpoint

describe('resolveAuthority', () => {
  test.each([
    ['an alias of the public cloud', 'https://login.windows.net', 'login.microsoftonline.com'],
    ['an alias of US Government', 'https://login.usgovcloudapi.net', 'login.microsoftonline.us'],
    ['France', 'https://login.sovcloud-identity.fr', 'login.sovcloud-identity.fr'],
    ['a private host', 'https://login.airgap.example:8443', 'login.airgap.example:8443'],
  ])('returns the token endpoint of %s', (_, origin, host) => {
    const authority = resolveAuthority(origin, TENANT)
    expect(authority).toMatchObject({ host, tokenHost: host })
    expect(tokenEndpointOf(authority)).toBe(`https://${host}/${TENANT}/oauth2/v2.0/token`)
  })

  test.each([
    ['https://login.microsoftonline.com', 'westeurope.login.microsoft.com'],
    ['https://login.airgap.example:8443', 'westeurope.login.airgap.example:8443'],
  ])('returns the regional endpoint of %s', (origin, host) => {
    const authority = resolveAuthority(origin, TENANT, 'westeurope')
    expect(authority.tokenHost).toBe(host)
    expect(tokenEndpointOf(authority)).toBe(`https://${host}/${TENANT}/oauth2/v2.0/token`)
    expect(authority.host).toBe(new URL(origin).host)
  })
})

test.each([
  ['https://login.partner.microsoftonline.cn', 'api://AzureADTokenExchangeChina'],
  ['https://login.airgap.example:8443', 'api://AzureADTokenExchange'],
])('the audience for %s is %s', (origin, audience) => {
  expect(findAudience(origin)).toBe(audience)
  expect(isFederationAudience(audience)).toBe(true)
})

test.each(['', 'api://AKSIdentityBinding', 'api://AzureADTokenExchange/x', 'https://issuer.test'])(
  'the audience %j is not one of direct federation',
  (audience) => {
    expect(isFederationAudience(audience)).toBe(false)
  },
)
