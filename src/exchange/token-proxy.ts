/**
 * The token proxy of a cluster's identity bindings: exchanges go to it in place of Entra ID,
 * otherwise unchanged. Its certificate may be of an authority that nobody else trusts, so that
 * authority is trusted alone, and is read anew for each exchange, since the cluster renews it.
 */
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { isCertificates } from '../config/urls.ts'
import type { TokenProxySettings } from '../config/groups.ts'
import { BrokerError } from '../errors.ts'
import { readWholeFile } from '../lib/files.ts'
import { CONNECTING } from './connecting.ts'
import { TOKEN_PROXY, transportFailure } from './transport-errors.ts'

interface TokenProxyOptions {
  readonly settings: TokenProxySettings
}

/**
 * A dispatcher that sends every request to the proxy, its path appended to the proxy's, each on a
 * connection of its own. No HTTP proxy of the environment is used: the token proxy is a part of the
 * cluster. A request fails with the `BrokerError` of what was wrong with the way to it, with `entra_tls`
 * while the CA file was never usable; later an unusable one leaves the last good one in force, as the
 * file may be in the middle of its renewal.
 */
export function createTokenProxyDispatcher({ settings }: TokenProxyOptions): Dispatcher {
  const { origin, pathname } = new URL(settings.url)
  const prefix = pathname.replace(/\/+$/, '')
  let lastCa: string | undefined

  const agent = new Agent({
    // No connection is kept, so none outlives the CA that it was trusted by.
    pipelining: 0,
    connect: (target, done) => void connect(target, done),
  })
  return agent.compose((dispatch) => (request, handler) => {
    const path = `${prefix}${request.path.startsWith('/') ? '' : '/'}${request.path}`
    return dispatch({ ...request, origin, path }, handler)
  })

  async function connect(target: buildConnector.Options, done: buildConnector.Callback) {
    try {
      const open = await connector()
      open(target, (error, socket) => {
        if (error === null) done(null, socket)
        else done(transportFailure(error, TOKEN_PROXY), null)
      })
    } catch (error) {
      done(error instanceof Error ? error : new Error('cannot connect'), null)
    }
  }

  async function connector() {
    const ca = await currentCa()
    return buildConnector({
      ...CONNECTING,
      ...(ca !== undefined && { ca }),
      ...(settings.sniName !== undefined && { servername: settings.sniName }),
    })
  }

  async function currentCa(): Promise<string | undefined> {
    if (settings.ca === undefined) return undefined
    if ('pem' in settings.ca) return settings.ca.pem
    const { file } = settings.ca
    const text = await readWholeFile(file).catch(() => undefined)
    if (text !== undefined && isCertificates(text)) lastCa = text
    if (lastCa !== undefined) return lastCa
    throw new BrokerError(
      'entra_tls',
      `AZURE_KUBERNETES_CA_FILE: ${file} ${text === undefined ? 'cannot be read' : 'holds no PEM certificates'}`,
    )
  }
}
