/**
 * The token proxy of a cluster's identity bindings: exchanges go to it instead of Entra ID, otherwise
 * unchanged. Its certificate may be issued by the cluster's own CA, which then is the only trusted one.
 */
import type { Dispatcher } from 'undici'
import type { TokenProxySettings } from '../config/config.ts'
import { Agent } from '../../lib/undici.ts'
import type { Identity } from '../identities.ts'
import { type Assertion, isForDirectFederation } from './assertion.ts'
import { CaFileDispatcher } from './ca-file.ts'
import { CONNECT_OPTIONS, HTTP1_ONLY } from './http-client.ts'

const CA_FILE_FIX =
  'set AZURE_KUBERNETES_CA_FILE to the CA certificate that the AKS webhook mounts for the token proxy'

/**
 * Creates a dispatcher that sends every request to the token proxy, with the path appended to the
 * proxy's. It uses no HTTP proxy, since the token proxy is inside the cluster, which rotates the CA file.
 */
export function createTokenProxyDispatcher({ url, sniName, ca }: TokenProxySettings): Dispatcher {
  const { origin, pathname } = new URL(url)
  const prefix = pathname.replace(/\/+$/, '')
  const create = (pem?: string) =>
    new Agent({
      ...HTTP1_ONLY,
      connect: {
        ...CONNECT_OPTIONS,
        ...(pem !== undefined && { ca: pem }),
        ...(sniName !== undefined && { servername: sniName }),
      },
    }).compose((dispatch) => (request, handler) => {
      const path = `${prefix}${request.path.startsWith('/') ? '' : '/'}${request.path}`
      return dispatch({ ...request, origin, path }, handler)
    })
  if (ca === undefined || 'pem' in ca) return create(ca?.pem)
  return new CaFileDispatcher({ ...ca, fix: CA_FILE_FIX }, create)
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
