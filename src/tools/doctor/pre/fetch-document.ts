/** Fetches the public documents of an issuer, as Entra ID does: https, no redirects, a size cap. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIPv6 } from 'node:net'
import type { Dispatcher } from 'undici'
import type * as z from 'zod/mini'
import type { Config } from '../../../broker/config/config.ts'
import { createEntraDispatcher } from '../../../broker/exchange/dispatcher.ts'
import { usesProxy } from '../connectivity.ts'
import { removeBrackets } from '../../../lib/hosts.ts'
import { parseJson } from '../../../lib/json.ts'
import { readBody } from '../../../lib/read-body.ts'
import { sendRequest } from '../../../lib/send-request.ts'

/** Fetches a JSON document of this schema. Throws an error whose message is the reason if it cannot be used. */
export type FetchDocument = <T>(url: URL, schema: z.ZodMiniType<T>) => Promise<T>

type Network = Pick<Config['exchange'], 'proxy' | 'extraCa'>

const TIMEOUT_MS = 10_000
const MAX_BYTES = 1_048_576

/**
 * Creates the function that fetches. It refuses a host with an address that is not public, which this machine may
 * reach and Entra ID cannot; through a proxy, which resolves the name itself, it cannot tell.
 */
export function createDocumentFetch({ proxy, extraCa }: Network): FetchDocument {
  return async (url, schema) => {
    const dispatcher = createEntraDispatcher({ proxy, extraCa: extraCa?.pem })
    try {
      const isDirect = proxy === undefined || !(await usesProxy(url.origin, proxy))
      if (isDirect) await requirePublicAddress(url.hostname)
      const document = schema.safeParse(parseJson(await get(url, dispatcher)))
      if (!document.success) throw new Error('it answered with another kind of document')
      return document.data
    } catch (error) {
      throw findCause(error)
    } finally {
      await dispatcher.destroy()
    }
  }
}

async function get(url: URL, dispatcher: Dispatcher): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const { statusCode, body } = await sendRequest(url, { dispatcher, signal })
  const text = await readBody(body, MAX_BYTES, () => new Error('the document is too large'))
  if (statusCode !== 200) throw new Error(`it answered ${statusCode}`)
  return text
}

/** Addresses that Entra ID cannot reach (RFC 6890). */
const PRIVATE = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  PRIVATE.addSubnet(network, bits, findFamily(network))
}

function findFamily(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}

async function requirePublicAddress(hostname: string): Promise<void> {
  const found = await lookup(removeBrackets(hostname), { all: true })
  const address = found
    .map((each) => each.address)
    .find((each) => PRIVATE.check(each, findFamily(each)))
  if (address !== undefined) throw new Error(`the address ${address} of its host is not public`)
}

/** Returns the innermost cause. */
function findCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? findCause(error.cause) : error
}
