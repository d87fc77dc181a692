/** Recognizes client libraries and their versions by User-Agents, and counts their requests. */
import type { IncomingHttpHeaders } from 'node:http'

/**
 * The libraries by their ids in metrics. The first match counts, since an SDK's request also names the library that it
 * is built on. The first group is the version.
 */
export const CLIENT_LIBRARIES: readonly (readonly [id: string, agent: RegExp])[] = [
  // User-Agents by the guidelines of the Azure SDKs: azsdk-LANGUAGE-PACKAGE/VERSION
  ['python-azure-identity', /^azsdk-python-identity\/(\S+)/],
  ['js-azure-identity', /^azsdk-js-identity\/(\S+)/],
  ['go-azidentity', /\bazsdk-go-azidentity\/v?(\S+)/],
  ['dotnet-azure-identity', /\bazsdk-net-Identity\/(\S+)/i],
  ['java-azure-identity', /\bazsdk-java-(?:azure-)?identity\/(\S+)/],
  ['cpp-azure-identity', /\bazsdk-cpp-identity\/(\S+)/],
  ['rust-azure-identity', /\bazsdk-rust-(?:azure_)?identity\/(\S+)/],
  // From Azure.Core 1.53 on, Azure.Identity sends the name and version of Azure.Core; newer versions add MSAL's headers.
  ['dotnet-azure-core', /\bazsdk-net-Core\/(\S+)/i],
  // MSAL and the libraries that use it, by the headers x-client-SKU and x-client-Ver
  ['python-msal', / MSAL\.Python\/(\S+)/i],
  ['js-msal', / msal\.js\.node\/(\S+)/i],
  ['go-msal', / MSAL\.Go\/(\S+)/i],
  ['java-msal', / MSAL\.Java\/(\S+)/i],
  ['dotnet-msal', / MSAL\.(?:Net|CoreCLR|Desktop)\w*\/(\S+)/i],
  // The Azure CLI up to 2.45 sends this, too.
  ['python-msrestazure', / msrest_azure\/(\S+)/],
  // Its version is the constant v1.0.0.
  ['go-autorest', /\bgo-autorest\/adal\//],
  ['rust-object-store', /^object_store\/(\S+)/],
  ['rclone', /^rclone\/v?(\S+)/],
  // HTTP clients, which do not say which library calls
  ['python-requests', /^python-requests\/(\S+)/],
  ['java-http', /^Java\/(\S+)/],
  ['go-http', /^Go-http-client\/(\S+)/],
  ['node-http', /^(?:node-fetch|node|undici|axios)(?:\/(\S+))?/],
  ['curl', /^curl\/(\S+)/],
  ['wget', /^Wget\/(\S+)/i],
]

export interface SeenClient {
  /** `none` for a client without a User-Agent, `other` for an unknown one. */
  readonly library: string
  /** Empty if the client sends none; `other` if there are too many versions. */
  readonly version: string
  requests: number
  /** Time of the last request, on the monotonic clock. */
  lastSeenAt: number
}

const VERSION = /^\d[\w.+-]{0,30}$/

/** Recognizes a library in a User-Agent followed by MSAL's headers. The version is empty if it does not look like one. */
export function recognizeClient(agent: string): Pick<SeenClient, 'library' | 'version'> {
  if (agent === '') return { library: 'none', version: '' }
  for (const [library, pattern] of CLIENT_LIBRARIES) {
    const match = pattern.exec(agent)
    if (match === null) continue
    const [, version = ''] = match
    return { library, version: VERSION.test(version) ? version : '' }
  }
  return { library: 'other', version: '' }
}

/** Callers choose these headers, so the number and length of the values are bounded. */
const MAX_CACHED_HEADERS = 256
const MAX_AGENT_LENGTH = 512
const MAX_CLIENTS = 100

export function createClientInventory() {
  /** The recognized client for each pair of headers: recognition costs microseconds, and callers repeat themselves. */
  const byHeaders = new Map<string, SeenClient>()
  const byLibrary = new Map<string, SeenClient>()
  return {
    findClient: (headers: IncomingHttpHeaders): SeenClient => {
      const agent = formatAgent(headers)
      const cached = byHeaders.get(agent)
      if (cached !== undefined) return cached
      const { library, version: sent } = recognizeClient(agent)
      const isKnown = byLibrary.has(`${library} ${sent}`) || byLibrary.size < MAX_CLIENTS
      const version = isKnown ? sent : 'other'
      const key = `${library} ${version}`
      const client = byLibrary.get(key) ?? { library, version, requests: 0, lastSeenAt: 0 }
      byLibrary.set(key, client)
      if (byHeaders.size >= MAX_CACHED_HEADERS) byHeaders.clear()
      if (agent.length <= MAX_AGENT_LENGTH) byHeaders.set(agent, client)
      return client
    },
    /** Returns every client so far, the latest first. */
    clients: (): readonly SeenClient[] =>
      [...byLibrary.values()].toSorted((a, b) => b.lastSeenAt - a.lastSeenAt),
  }
}

/** Joins the User-Agent and the two headers of MSAL: `node msal.js.node/2.6.4`. */
function formatAgent(headers: IncomingHttpHeaders): string {
  const { 'user-agent': sent = '', 'x-client-sku': sku, 'x-client-ver': version } = headers
  const agent = sent.slice(0, MAX_AGENT_LENGTH)
  return sku ? `${agent} ${String(sku)}/${String(version)}` : agent
}
