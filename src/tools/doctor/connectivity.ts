/** Finds the token endpoints of a configuration, and checks the connectivity to each as an exchange would connect. */
import type { Config } from '../../broker/config/config.ts'
import {
  type ExchangeDispatchers,
  type ProxySettings,
  readProxy,
} from '../../broker/exchange/dispatcher.ts'
import {
  ENTRA,
  TOKEN_PROXY,
  toTransportError,
  withPeer,
} from '../../broker/exchange/transport-errors.ts'
import { type Assertion, usesTokenProxy } from '../../broker/exchange/assertion.ts'
import type { Identity } from '../../broker/identities.ts'
import { resolveAuthority } from '../../lib/clouds.ts'
import { getPeer } from '../../lib/hosts.ts'
import { BrokerError } from '../../lib/errors.ts'
import { EnvHttpProxyAgent, Pool, sendRequest } from '../../lib/undici.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, passed } from './findings.ts'

/** A token endpoint. */
interface Endpoint {
  readonly host: string
  readonly port: number
  readonly isTokenProxy: boolean
}

const TIMEOUT_MS = 5000

/** Returns whether the exchanges of an identity go through the token proxy, as far as is known. */
export function isViaTokenProxy(
  identity: Identity,
  { tokenProxy }: Pick<Config['exchange'], 'tokenProxy'>,
  assertion: Assertion | undefined,
): boolean {
  if (tokenProxy === undefined) return false
  return usesTokenProxy(identity, assertion ?? { audience: [] })
}

/** Returns each endpoint once: of Entra ID, and the token proxy. `assertions` has the readable tokens by their files. */
export function findEndpoints(
  { directory, exchange }: Pick<Config, 'directory' | 'exchange'>,
  assertions: ReadonlyMap<string, { readonly assertion?: Assertion }>,
): Endpoint[] {
  const { region, tokenProxy } = exchange
  const direct = directory.identities.filter(
    (identity) =>
      !isViaTokenProxy(identity, exchange, assertions.get(identity.tokenFile)?.assertion),
  )
  const tokenHosts = direct.map(
    ({ authorityHost, tenantId }) => resolveAuthority(authorityHost, tenantId, region).tokenHost,
  )
  const endpoints = [...new Set(tokenHosts)].map((tokenHost) => ({
    ...getPeer(new URL(`https://${tokenHost}`)),
    isTokenProxy: false,
  }))
  const hasProxied = direct.length < directory.identities.length
  return tokenProxy !== undefined && hasProxied
    ? [{ ...getPeer(new URL(tokenProxy.url)), isTokenProxy: true }, ...endpoints]
    : endpoints
}

/** Returns whether the endpoint answers a HEAD, whatever the status: DNS, proxy and TLS work up to it. */
export async function checkEndpoint(
  { host, port, isTokenProxy }: Endpoint,
  { proxy }: Pick<Config['exchange'], 'proxy'>,
  { dispatcher, tokenProxy }: Pick<ExchangeDispatchers, 'dispatcher' | 'tokenProxy'>,
): Promise<Finding> {
  const origin = `https://${host}:${port}`
  const isProxied = !isTokenProxy && proxy !== undefined && (await usesProxy(origin, proxy))
  const direct = isProxied ? 'through the HTTP proxy' : 'directly'
  const via = isTokenProxy ? 'to the token proxy' : direct
  const start = performance.now()
  const outcome = await sendRequest(`${origin}/`, {
    method: 'HEAD',
    dispatcher: (isTokenProxy ? tokenProxy?.dispatcher : undefined) ?? dispatcher,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).then(
    async ({ body }) => {
      await body.dump()
      return passed(via, `answered in ${Math.round(performance.now() - start)} ms`)
    },
    (error: unknown) => {
      const destination = withPeer(isTokenProxy ? TOKEN_PROXY : ENTRA, origin)
      return failed(
        error instanceof BrokerError ? error : toTransportError(error, destination),
        via,
      )
    },
  )
  return createFinding('connectivity', outcome, `${host}:${port}`)
}

/** Returns whether requests to an https origin go through the proxy: undici decides, and sends nothing. */
export async function usesProxy(origin: string, proxy: ProxySettings): Promise<boolean> {
  let isDirect = false
  const dispatcher = new EnvHttpProxyAgent({
    ...readProxy(proxy),
    connect: (_target, done) => {
      isDirect = true
      done(new Error('not connected'), null)
    },
    clientFactory: (proxyOrigin) =>
      new Pool(proxyOrigin, {
        connect: (_target, done) => done(new Error('not connected'), null),
      }),
  })
  await sendRequest(origin, { dispatcher }).catch(() => {})
  await dispatcher.destroy()
  return !isDirect
}
