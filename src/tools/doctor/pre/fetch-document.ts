/** Fetches the public documents of an issuer, as Entra ID does: https, no redirects, a size cap. */
import { BlockList, isIP, isIPv6 } from 'node:net'
import type { Dispatcher } from 'undici'
import type * as z from 'zod/mini'
import type { Config } from '../../../broker/config/config.ts'
import { createEntraDispatcher } from '../../../broker/exchange/dispatcher.ts'
import { createConnect, lookupAddresses } from '../../../lib/connect.ts'
import { removeBrackets } from '../../../lib/hosts.ts'
import { parseJson } from '../../../lib/json.ts'
import { readBody } from '../../../lib/read-body.ts'

/** How this machine reaches the internet. */
export type Network = Pick<Config['exchange'], 'proxy' | 'extraCa'>

const TIMEOUT_MS = 10_000
const MAX_BYTES = 1_048_576

/**
 * Fetches a JSON document of this schema. Throws an error whose message is the reason if it cannot be used. Refuses a host
 * with an address that is not public, which this machine may reach and Entra ID cannot; through a proxy, which resolves
 * the name itself, it cannot tell.
 */
export async function fetchDocument<T>(
  url: URL,
  schema: z.ZodMiniType<T>,
  { proxy, extraCa }: Network,
): Promise<T> {
  const dispatcher = createEntraDispatcher({
    proxy,
    extraCa: extraCa?.pem,
    connectDirect: createConnect({ lookup: lookupPublic }),
  })
  try {
    // A proxy may be asked to connect to an address.
    const problem = findAddressProblem([removeBrackets(url.hostname)])
    if (problem !== null) throw problem
    const document = schema.safeParse(parseJson(await get(url, dispatcher)))
    if (!document.success) throw new Error('it answered with another kind of document')
    return document.data
  } catch (error) {
    throw findCause(error)
  } finally {
    await dispatcher.destroy()
  }
}

async function get({ origin, pathname, search }: URL, dispatcher: Dispatcher): Promise<string> {
  const { statusCode, body } = await dispatcher.request({
    origin,
    path: `${pathname}${search}`,
    method: 'GET',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const text = await readBody(body, MAX_BYTES, () => new Error('the document is too large'))
  if (statusCode !== 200) throw new Error(`it answered ${statusCode}`)
  return text
}

/** Addresses that Entra ID cannot reach (RFC 6890). */
const SUBNETS =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 ::/127 fc00::/7 fe80::/10'
const PRIVATE = new BlockList()
for (const subnet of SUBNETS.split(' ')) {
  const [network = '', bits] = subnet.split('/')
  PRIVATE.addSubnet(network, Number(bits), findFamily(network))
}

function findFamily(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}

/** Looks up a host as Node does. Fails if one of its addresses is not public. */
const lookupPublic: typeof lookupAddresses = async (host, family) => {
  const found = await lookupAddresses(host, family)
  const problem = findAddressProblem(found.map(({ address }) => address))
  if (problem !== null) throw problem
  return found
}

function findAddressProblem(addresses: readonly string[]): Error | null {
  const address = addresses.find((each) => isIP(each) && PRIVATE.check(each, findFamily(each)))
  return address === undefined
    ? null
    : new Error(`the address ${address} of its host is not public`)
}

/** Returns the innermost cause. */
function findCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? findCause(error.cause) : error
}
