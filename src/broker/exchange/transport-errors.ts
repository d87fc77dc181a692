/** Maps the errors of requests without a response (DNS, TCP, TLS, proxy, time limit) to error codes. */
import { ConnectError, SILENT } from '../../lib/connect-error.ts'
import { BrokerError, type ErrorCode } from '../../lib/errors.ts'
import { isTimeoutError } from '../../lib/deadline.ts'
import { errorCode } from '../../lib/describe-error.ts'
import { formatPeer } from '../../lib/hosts.ts'

const TLS_CODES =
  /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_|INVALID_CA)/
/** With these codes the certificate may be good, and the local clock wrong. */
const CLOCK_CODES = /^CERT_(?:NOT_YET_VALID|HAS_EXPIRED)$/
const CLOCK_FIX =
  'compare the clock of the node with the real time (date -u); if it is right, the certificate of the server, of a proxy that intercepts TLS, or of their CA has to be renewed'

const DNS_FIX = 'check the spelling of the host, and the DNS of the pod'

/** The server that a request was for, and the fix for each kind of failure. */
export interface Destination {
  readonly name: string
  readonly tlsFix: string
  /** The fix if the server cannot be reached or does not answer. */
  readonly networkFix: string
  /** The fix if another server seems to have sent the response. */
  readonly wrongServerFix: string
}

export const ENTRA: Destination = {
  name: 'Entra ID',
  tlsFix:
    'if a proxy intercepts TLS, or the authority has a private CA, set WIMDS_CA_FILE to a PEM file with that CA',
  networkFix: 'check the firewall and the proxy between the pod and the login host',
  wrongServerFix:
    'check AZURE_AUTHORITY_HOST, and whether a captive portal or a proxy between the pod and the login host answers',
}

/** The token proxy of identity bindings, with the variables that the AKS webhook sets. */
export const TOKEN_PROXY: Destination = {
  name: 'the token proxy of the cluster',
  tlsFix:
    'its certificate must be issued by a CA in AZURE_KUBERNETES_CA_FILE or AZURE_KUBERNETES_CA_DATA, and for the name in AZURE_KUBERNETES_SNI_NAME',
  networkFix:
    'check AZURE_KUBERNETES_TOKEN_PROXY, and the network policies between the pod and the token proxy',
  wrongServerFix: 'check AZURE_KUBERNETES_TOKEN_PROXY, which must be the URL of the token proxy',
}

/** Returns a destination whose name has the host and port of its URL. */
export function withPeer(to: Destination, url: string): Destination {
  return { ...to, name: `${to.name} at ${formatPeer(new URL(url))}` }
}

/** Returns an HTTP proxy as destination, without the user and password of its URL. */
export function createProxyDestination(url: URL): Destination {
  return {
    name: `the proxy ${formatPeer(url)}`,
    tlsFix: 'set WIMDS_CA_FILE to a PEM file with the CA of the proxy',
    networkFix:
      'check HTTPS_PROXY, the network between the pod and the proxy, and whether the proxy allows the login host',
    wrongServerFix: 'check HTTPS_PROXY, which must be the URL of a proxy',
  }
}

/**
 * Returns `entra_timeout`, `entra_tls`, `entra_bad_response` (no HTTP) or `entra_unreachable` for an error of undici
 * or Node.
 */
export function toTransportError(error: unknown, to: Destination): BrokerError {
  const code = findCode(error)
  const create = (kind: ErrorCode, problem: string, fix: string) =>
    new BrokerError(kind, `${to.name} ${problem}`, { fix, cause: error })
  if (error instanceof ConnectError) {
    const kind = error.code === SILENT ? 'entra_timeout' : 'entra_unreachable'
    const fix = error.failure.attempts.length === 0 ? DNS_FIX : to.networkFix
    return create(kind, `cannot be reached: ${error.reason}`, fix)
  }
  if (isTimeoutError(error) || code === SILENT) {
    return create('entra_timeout', 'did not answer in time', to.networkFix)
  }
  if (TLS_CODES.test(code)) {
    const problem = `the TLS connection to ${to.name} failed (${code})`
    const fix = CLOCK_CODES.test(code) ? CLOCK_FIX : to.tlsFix
    return new BrokerError('entra_tls', problem, { fix, cause: error })
  }
  // Most of undici's parser errors have no code. Node's parser, which reads the answer to CONNECT, uses another name.
  if ((error instanceof Error && error.name === 'HTTPParserError') || code.startsWith('HPE_')) {
    return create('entra_bad_response', 'answered in another protocol than HTTP', to.wrongServerFix)
  }
  return create('entra_unreachable', `cannot be reached (${code})`, to.networkFix)
}

/** Returns the code of the innermost cause that has a code. */
function findCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const inner = error.cause === undefined ? 'unknown' : findCode(error.cause)
  if (inner !== 'unknown') return inner
  return errorCode(error) ?? 'unknown'
}
