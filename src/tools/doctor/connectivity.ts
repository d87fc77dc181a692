/** Checks the connectivity to each token endpoint of a configuration, as an exchange would connect. */
import type { Config, TokenProxySettings } from '../../broker/config/config.ts'
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
import { formatPeer } from '../../lib/hosts.ts'
import { BrokerError } from '../../lib/errors.ts'
import { sendRequest } from '../../lib/send-request.ts'
import { EnvHttpProxyAgent, Pool } from '../../lib/undici.ts'
import type { Finding } from './doctor-report.ts'
import { createFinding, failed, type Outcome, passed } from './findings.ts'

const TIMEOUT_MS = 5000

/** Returns the token proxy if the exchanges of an identity go through it, as far as is known. */
export function findTokenProxy(
  identity: Identity,
  { tokenProxy }: Pick<Config['exchange'], 'tokenProxy'>,
  assertion: Pick<Assertion, 'audience'> = { audience: [] },
): TokenProxySettings | undefined {
  return usesTokenProxy(identity, assertion) ? tokenProxy : undefined
}

/** Checks each endpoint of the identities once. `assertions` has the readable tokens by their files. */
export async function checkConnectivity(
  { directory, exchange }: Pick<Config, 'directory' | 'exchange'>,
  assertions: ReadonlyMap<string, { readonly assertion?: Assertion }>,
  dispatchers: ExchangeDispatchers,
): Promise<Finding[]> {
  const { region } = exchange
  const endpoints = directory.identities.map((identity) => {
    const { authorityHost, tenantId, tokenFile } = identity
    const proxy = findTokenProxy(identity, exchange, assertions.get(tokenFile)?.assertion)
    if (proxy !== undefined) return [new URL(proxy.url).origin, true] as const
    const { tokenHost } = resolveAuthority(authorityHost, tenantId, region)
    return [`https://${tokenHost}`, false] as const
  })
  return await Promise.all(
    [...new Map(endpoints)].map(async ([origin, isTokenProxy]) => {
      const outcome = await checkEndpoint(origin, isTokenProxy, exchange, dispatchers)
      return createFinding('connectivity', outcome, formatPeer(new URL(origin)))
    }),
  )
}

/** Returns whether the endpoint answers a HEAD, whatever the status: DNS, proxy and TLS work up to it. */
async function checkEndpoint(
  origin: string,
  isTokenProxy: boolean,
  { proxy }: Pick<Config['exchange'], 'proxy'>,
  { dispatcher, tokenProxy }: ExchangeDispatchers,
): Promise<Outcome> {
  const isProxied = proxy !== undefined && (await usesProxy(origin, proxy))
  const direct = isProxied ? 'through the HTTP proxy' : 'directly'
  const via = isTokenProxy ? 'to the token proxy' : direct
  const start = performance.now()
  try {
    const { body } = await sendRequest(`${origin}/`, {
      method: 'HEAD',
      dispatcher: (isTokenProxy ? tokenProxy?.dispatcher : undefined) ?? dispatcher,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    await body.dump()
    return passed(via, `answered in ${Math.round(performance.now() - start)} ms`)
  } catch (error) {
    const destination = withPeer(isTokenProxy ? TOKEN_PROXY : ENTRA, origin)
    return failed(error instanceof BrokerError ? error : toTransportError(error, destination), via)
  }
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
