/** What kept an answer of Entra ID from coming → the closed list of error codes, with what to do. */
import { BrokerError } from '../errors.ts'

const TIMEOUTS = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])
const TLS_CODES =
  /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_|INVALID_CA)/
/** The connection broke under the request, as one does that was idle for too long. */
const BROKEN_CONNECTION = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** How undici tells what a proxy said that did not open a tunnel. */
const PROXY_REFUSAL = /^Proxy response \((\d{3})\)/

/** Whom a request did not get to, in words, with what to look at for each kind of failure. */
interface Destination {
  readonly name: string
  readonly forTime: string
  readonly forTls: string
  readonly forReach: string
}

const ENTRA: Destination = {
  name: 'Entra ID',
  forTime: 'check the network, the firewall and the proxy between the pod and the login host',
  forTls: 'if a proxy intercepts TLS, or the authority has a private CA, set WIMDS_CA_FILE',
  forReach: 'check DNS, the firewall and the proxy between the pod and the login host',
}

/** The cluster's own, by the variables that the AKS webhook sets. */
export const TOKEN_PROXY: Destination = {
  name: 'the token proxy of the cluster',
  forTime: 'check AZURE_KUBERNETES_TOKEN_PROXY, and the network policies between the pod and it',
  forTls:
    'its certificate must be of an authority in AZURE_KUBERNETES_CA_FILE or AZURE_KUBERNETES_CA_DATA, and for the name AZURE_KUBERNETES_SNI_NAME',
  forReach:
    'check AZURE_KUBERNETES_TOKEN_PROXY, DNS, and the network policies between the pod and it',
}

/** The error for a request that got no answer: DNS, TCP, TLS, proxy or time. */
export function transportFailure(error: unknown, to: Destination = ENTRA): BrokerError {
  const code = failureCode(error)
  const names = error instanceof Error ? [error.name] : []
  if (names.includes('TimeoutError') || TIMEOUTS.has(code)) {
    return new BrokerError('entra_timeout', `${to.name} did not answer in time: ${to.forTime}`, {
      cause: error,
    })
  }
  if (TLS_CODES.test(code)) {
    return new BrokerError(
      'entra_tls',
      `the TLS connection to ${to.name} failed (${code}): ${to.forTls}`,
      { cause: error },
    )
  }
  const [, answered] = PROXY_REFUSAL.exec(messageOf(error)) ?? []
  if (answered !== undefined) {
    return new BrokerError(
      'entra_unreachable',
      `the proxy answered ${answered} in place of a connection to ${to.name}: check HTTPS_PROXY, its user and password, and whether the proxy allows the login host`,
      { cause: error },
    )
  }
  return new BrokerError(
    'entra_unreachable',
    `${to.name} cannot be reached (${code}): ${to.forReach}`,
    { cause: error },
  )
}

/** True when the same request is worth sending once more at once, on a new connection. */
export function isBrokenConnection(error: BrokerError): boolean {
  return error.code === 'entra_unreachable' && BROKEN_CONNECTION.has(failureCode(error.cause))
}

/** A redirect would carry the assertion to another host. */
export function redirected(): BrokerError {
  return new BrokerError(
    'entra_redirected',
    'the token endpoint answered with a redirect, which is not followed: check AZURE_AUTHORITY_HOST, and for a captive proxy',
  )
}

/** The code of an error or of the innermost cause that has one. */
function failureCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const inner = error.cause === undefined ? 'unknown' : failureCode(error.cause)
  if (inner !== 'unknown') return inner
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
