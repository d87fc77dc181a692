/**
 * The token proxy of a cluster's identity bindings: exchanges go to it instead of Entra ID, otherwise
 * unchanged. Its certificate may be issued by the cluster's own CA, which then is the only trusted one.
 */
import type { Dispatcher } from 'undici'
import type { TokenProxySettings } from '../config/config.ts'
import { BrokerError } from '../errors.ts'
import { readWholeFile } from '../lib/files.ts'
import { isCertificates } from '../lib/pem.ts'
import { Agent, buildConnector } from '../lib/undici.ts'
import type { Identity } from '../identities.ts'
import { type Assertion, isForDirectFederation } from './assertion.ts'
import { CONNECT_OPTIONS, HTTP1_ONLY } from './http-client.ts'

/**
 * Creates a dispatcher that sends every request to the token proxy, with the path appended to the
 * proxy's, each on a new connection. It uses no HTTP proxy, since the token proxy is inside the
 * cluster. Requests fail with `entra_tls` if the CA file has never been usable. The cluster rotates that
 * file, so it is read for each connection, and while it is unusable the last good content stays in use.
 */
export function createTokenProxyDispatcher(settings: TokenProxySettings): Dispatcher {
  const { origin, pathname } = new URL(settings.url)
  const prefix = pathname.replace(/\/+$/, '')
  let lastCa: string | undefined

  const agent = new Agent({
    ...HTTP1_ONLY,
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
      const connector = await createConnector()
      connector(target, done)
    } catch (error) {
      done(error instanceof Error ? error : new Error('cannot connect'), null)
    }
  }

  async function createConnector() {
    const ca = await readCa()
    return buildConnector({
      ...CONNECT_OPTIONS,
      ...(ca !== undefined && { ca }),
      ...(settings.sniName !== undefined && { servername: settings.sniName }),
    })
  }

  async function readCa(): Promise<string | undefined> {
    if (settings.ca === undefined) return undefined
    if ('pem' in settings.ca) return settings.ca.pem
    const { file } = settings.ca
    const text = await readWholeFile(file).catch(() => undefined)
    if (text !== undefined && isCertificates(text)) lastCa = text
    if (lastCa !== undefined) return lastCa
    throw new BrokerError(
      'entra_tls',
      `the CA file ${file} of the token proxy ${text === undefined ? 'cannot be read' : 'has no PEM certificates'}. Fix: set AZURE_KUBERNETES_CA_FILE to the CA certificate that the AKS webhook mounts`,
    )
  }
}

/**
 * Returns whether the exchanges of an identity go through the token proxy, if there is one. By default the
 * assertion decides: a token for direct federation goes to Entra ID, which is the only one to accept it.
 * So does the token of a managed identity.
 */
export function usesTokenProxy(
  { exchangeVia, assertionFrom }: Pick<Identity, 'exchangeVia' | 'assertionFrom'>,
  assertion: Pick<Assertion, 'audience'>,
): boolean {
  if (assertionFrom !== undefined) return false
  if (exchangeVia !== undefined) return exchangeVia === 'token-proxy'
  return !isForDirectFederation(assertion)
}
