/**
 * The token proxy of a cluster's identity bindings: exchanges go to it in place of Entra ID,
 * otherwise unchanged. Its certificate may be of an authority that nobody else trusts, so that
 * authority is trusted alone, and is read anew for each exchange, since the cluster renews it.
 */
import { readFileSync } from 'node:fs'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { isCertificates } from '../config/urls.ts'
import type { TokenProxySettings } from '../config/groups.ts'
import { BrokerError } from '../errors.ts'
import { CONNECTING } from './connecting.ts'
import { TOKEN_PROXY, transportFailure } from './failures.ts'

interface TokenProxyOptions {
  readonly settings: TokenProxySettings
  readonly readText?: (path: string) => string
}

/**
 * A dispatcher that sends every request to the proxy, its path appended to the proxy's, each on a
 * connection of its own. No HTTP proxy of the environment is used: the token proxy is a part of the
 * cluster. A request fails with the `BrokerError` of what was wrong with the way to it, with `entra_tls`
 * while the CA file was never usable; later an unusable one leaves the last good one in force, as the
 * file may be in the middle of its renewal.
 */
export function tokenProxyDispatcher(options: TokenProxyOptions): Dispatcher {
  const { settings, readText = (path) => readFileSync(path, 'utf8') } = options
  const { origin, pathname } = new URL(settings.url)
  const prefix = pathname.replace(/\/+$/, '')
  let lastCa: string | undefined

  const agent = new Agent({
    // No connection is kept, so none outlives the CA that it was trusted by.
    pipelining: 0,
    connect: (target, done) => {
      try {
        connector()(target, (error, socket) => {
          if (error === null) done(null, socket)
          else done(transportFailure(error, TOKEN_PROXY), null)
        })
      } catch (error) {
        done(error instanceof Error ? error : new Error('cannot connect'), null)
      }
    },
  })
  return agent.compose((dispatch) => (request, handler) => {
    const path = `${prefix}${request.path.startsWith('/') ? '' : '/'}${request.path}`
    return dispatch({ ...request, origin, path }, handler)
  })

  function connector() {
    const ca = currentCa()
    return buildConnector({
      ...CONNECTING,
      ...(ca !== undefined && { ca }),
      ...(settings.sniName !== undefined && { servername: settings.sniName }),
    })
  }

  function currentCa(): string | undefined {
    if (settings.ca === undefined) return undefined
    if ('pem' in settings.ca) return settings.ca.pem
    const { file } = settings.ca
    const text = tryRead(file)
    if (text !== undefined && isCertificates(text)) lastCa = text
    if (lastCa !== undefined) return lastCa
    throw new BrokerError(
      'entra_tls',
      `AZURE_KUBERNETES_CA_FILE: ${file} ${text === undefined ? 'cannot be read' : 'holds no PEM certificates'}`,
    )
  }

  function tryRead(path: string): string | undefined {
    try {
      return readText(path)
    } catch {
      return undefined
    }
  }
}
