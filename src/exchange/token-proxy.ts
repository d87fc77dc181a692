/**
 * The token proxy of a cluster's identity bindings: exchanges go to it in place of Entra ID,
 * otherwise unchanged. Its certificate may be of an authority that nobody else trusts, so that
 * authority is trusted alone, and is read anew for each exchange, since the cluster renews it.
 */
import { readFileSync } from 'node:fs'
import { Agent, Dispatcher } from 'undici'
import { isCertificates } from '../config/urls.ts'
import type { TokenProxySettings } from '../config/groups.ts'
import { BrokerError } from '../errors.ts'

interface TokenProxyOptions {
  readonly settings: TokenProxySettings
  readonly readText?: (path: string) => string
}

const CONNECT_TIMEOUT_MS = 5000

/**
 * A dispatcher that sends every request to the proxy, its path appended to the proxy's. No HTTP
 * proxy of the environment is used: the token proxy is a part of the cluster. A request fails with
 * `entra_tls` while the CA file was never usable; later a bad one leaves the last good one in force.
 */
export function tokenProxyDispatcher(options: TokenProxyOptions): Dispatcher {
  const { settings, readText = (path) => readFileSync(path, 'utf8') } = options
  const { origin, pathname } = new URL(settings.url)
  const prefix = pathname.replace(/\/+$/, '')
  let held: { readonly ca: string | undefined; readonly agent: Agent } | undefined

  return new Rewriting((request, handler) => {
    const path = `${prefix}${request.path.startsWith('/') ? '' : '/'}${request.path}`
    return currentAgent().dispatch({ ...request, origin, path }, handler)
  })

  /** The agent that trusts the CA as it is now; running requests end on the one they began on. */
  function currentAgent(): Agent {
    const ca = currentCa()
    if (held !== undefined && held.ca === ca) return held.agent
    void held?.agent.close()
    const agent = new Agent({
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        ...(ca !== undefined && { ca }),
        ...(settings.sniName !== undefined && { servername: settings.sniName }),
      },
    })
    held = { ca, agent }
    return agent
  }

  function currentCa(): string | undefined {
    if (settings.ca === undefined) return undefined
    if ('pem' in settings.ca) return settings.ca.pem
    const { file } = settings.ca
    const text = tryRead(file)
    if (text !== undefined && isCertificates(text)) return text
    if (held !== undefined) return held.ca
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

type Dispatch = Dispatcher['dispatch']

/** undici asks for a class here; its methods (request, stream …) come from `Dispatcher`. */
class Rewriting extends Dispatcher {
  readonly #dispatch: Dispatch

  constructor(dispatch: Dispatch) {
    super()
    this.#dispatch = dispatch
  }

  override dispatch(...request: Parameters<Dispatch>): boolean {
    return this.#dispatch(...request)
  }
}
