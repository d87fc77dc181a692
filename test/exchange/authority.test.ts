/** Clouds, regions, proxies and private roots: which host an exchange goes to, over real TLS. */
import { describe, expect, test } from 'vitest'
import { createAssertionReader } from '../../src/exchange/assertion.ts'
import { resolveAuthority } from '../../src/exchange/authority.ts'
import { createEntraDispatcher } from '../../src/exchange/dispatcher.ts'
import { createEntraExchange } from '../../src/exchange/entra.ts'
import { Secret } from '../../src/secret.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { systemClock } from '../../src/tokens/clock.ts'
import { type ConnectProxy, connectProxy } from './connect-proxy.ts'

const TENANT = '22222222-2222-4222-8222-222222222222'

describe('the token endpoint', () => {
  test.each([
    ['the public cloud', 'https://login.microsoftonline.com', 'login.microsoftonline.com'],
    ['an old name of it', 'https://login.windows.net', 'login.microsoftonline.com'],
    ['its issuer', 'https://sts.windows.net', 'login.microsoftonline.com'],
    ['US Government', 'https://login.microsoftonline.us', 'login.microsoftonline.us'],
    ['its other name', 'https://login.usgovcloudapi.net', 'login.microsoftonline.us'],
    ['China', 'https://login.partner.microsoftonline.cn', 'login.partner.microsoftonline.cn'],
    ['its other name', 'https://login.chinacloudapi.cn', 'login.partner.microsoftonline.cn'],
    ['France', 'https://login.sovcloud-identity.fr', 'login.sovcloud-identity.fr'],
    ['a host of one’s own', 'https://login.airgap.example:8443', 'login.airgap.example:8443'],
  ])('of %s is on its own host', (_, origin, host) => {
    expect(resolveAuthority(origin, TENANT)).toMatchObject({
      host,
      tokenHost: host,
      tokenEndpoint: `https://${host}/${TENANT}/oauth2/v2.0/token`,
    })
  })

  test.each([
    ['https://login.microsoftonline.com', 'westeurope.login.microsoft.com'],
    ['https://login.microsoftonline.us', 'westeurope.login.microsoftonline.us'],
    ['https://login.airgap.example:8443', 'westeurope.login.airgap.example:8443'],
  ])('of a region under %s is on the region’s host', (origin, host) => {
    const authority = resolveAuthority(origin, TENANT, 'westeurope')
    expect(authority.tokenHost).toBe(host)
    expect(authority.tokenEndpoint).toBe(`https://${host}/${TENANT}/oauth2/v2.0/token`)
    expect(authority.host).toBe(new URL(origin).host)
  })
})

describe('an exchange', () => {
  test.each([
    ['the public cloud', 'https://login.microsoftonline.com', 'login.microsoftonline.com'],
    ['an alias of the public cloud', 'https://login.windows.net', 'login.microsoftonline.com'],
    ['US Government', 'https://login.microsoftonline.us', 'login.microsoftonline.us'],
    ['China', 'https://login.chinacloudapi.cn', 'login.partner.microsoftonline.cn'],
    ['a sovereign cloud', 'https://login.sovcloud-identity.de', 'login.sovcloud-identity.de'],
    ['an authority of one’s own', 'https://login.airgap.example', 'login.airgap.example'],
  ])('with %s asks that host alone, and once', async (_, authorityHost, host) => {
    await using world = await createSimulator({ names: [host] })
    await using proxy = await proxyTo(world, host)
    const token = await exchange(world, proxy, { authorityHost })
    expect(token.secret.length).toBeGreaterThan(100)
    expect(proxy.tunnels).toEqual([`${host}:443`])
    expect(world.exchanges()).toBe(1)
  })

  test('goes to the region’s endpoint', async () => {
    const host = 'westeurope.login.microsoft.com'
    await using world = await createSimulator({ names: [host] })
    await using proxy = await proxyTo(world, host)
    const authorityHost = 'https://login.microsoftonline.com'
    await exchange(world, proxy, { authorityHost, region: 'westeurope' })
    expect(proxy.tunnels).toEqual([`${host}:443`])
  })

  test('shows the proxy its password, and nobody when it is wrong', async () => {
    const host = 'login.microsoftonline.com'
    await using world = await createSimulator({ names: [host] })
    await using proxy = await proxyTo(world, host, 'me:s%3Cret')
    const authorityHost = `https://${host}`
    await exchange(world, proxy, { authorityHost, userInfo: 'me:s%253Cret@' })
    expect(proxy.tunnels).toEqual([`${host}:443`])

    const refused = await exchange(world, proxy, {
      authorityHost,
      userInfo: 'me:guessed@',
    }).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'entra_unreachable',
      message: expect.stringMatching(/^the proxy answered 407 .*HTTPS_PROXY/),
    })
    expect(inspected(refused)).not.toContain('guessed')
  })

  test('does not trust a certificate whose root nobody added', async () => {
    const host = 'login.microsoftonline.com'
    await using world = await createSimulator({ names: [host] })
    await using proxy = await proxyTo(world, host)
    const authorityHost = `https://${host}`
    await expect(exchange(world, proxy, { authorityHost, extraCa: false })).rejects.toMatchObject({
      code: 'entra_tls',
    })
    expect(world.exchanges()).toBe(0)
  })

  test('does not trust a certificate of another name', async () => {
    await using world = await createSimulator({ names: ['login.microsoftonline.us'] })
    const host = 'login.microsoftonline.com'
    await using proxy = await proxyTo(world, host)
    await expect(
      exchange(world, proxy, { authorityHost: `https://${host}` }),
    ).rejects.toMatchObject({ code: 'entra_tls' })
  })
})

interface Way {
  readonly authorityHost: string
  readonly region?: string
  readonly userInfo?: string
  readonly extraCa?: false
}

async function exchange(world: Simulator, proxy: ConnectProxy, way: Way) {
  const { authorityHost, region, userInfo = '', extraCa } = way
  const dispatcher = createEntraDispatcher({
    ...(extraCa !== false && { extraCa: world.caPem }),
    proxy: { url: new Secret(`http://${userInfo}127.0.0.1:${proxy.port}`), noProxy: '' },
  })
  const source = createEntraExchange({
    readAssertion: createAssertionReader({}),
    dispatcher,
    clock: systemClock,
    timeoutMs: 5000,
    ...(region !== undefined && { region }),
  })
  const identity = {
    name: 'orders',
    clientId: world.clientId,
    tenantId: world.tenantId,
    authorityHost,
    tokenFile: world.tokenFile,
    prefetch: [],
  }
  try {
    return await source({ identity, scope: 'https://vault.azure.net/.default' })
  } finally {
    await dispatcher.destroy()
  }
}

/** A proxy by which `host` on port 443 is the world's Entra ID. */
function proxyTo(world: Simulator, host: string, credentials?: string): Promise<ConnectProxy> {
  const routes = { [`${host}:443`]: Number(new URL(world.authorityHost).port) }
  return connectProxy({ routes, ...(credentials !== undefined && { credentials }) })
}

function inspected(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.message} ${error.cause === undefined ? '' : inspected(error.cause)}`
}
