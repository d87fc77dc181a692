/** Fetches the public documents of an issuer, as Entra ID does: https, no redirects, a size cap. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import type { Dispatcher } from 'undici'
import type { Config } from '../../../broker/config/config.ts'
import { createEntraDispatcher } from '../../../broker/exchange/dispatcher.ts'
import { usesProxy } from '../connectivity.ts'
import { errorMessage } from '../../../lib/describe-error.ts'
import { removeBrackets } from '../../../lib/hosts.ts'
import { parseJsonObject } from '../../../lib/json.ts'
import { readBody } from '../../../lib/read-body.ts'
import { sendRequest } from '../../../lib/undici.ts'

/** A JSON object, or why there is none. */
type FetchResult =
  | { readonly ok: true; readonly json: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly reason: string }

export type FetchDocument = (url: URL) => Promise<FetchResult>

type Network = Pick<Config['exchange'], 'proxy' | 'extraCa'>

const TIMEOUT_MS = 10_000
const MAX_BYTES = 1_048_576

/**
 * Creates the function that fetches. It refuses a host with an address that is not public, which this machine may
 * reach and Entra ID cannot; through a proxy, which resolves the name itself, it cannot tell.
 */
export function createDocumentFetch({ proxy, extraCa }: Network): FetchDocument {
  return async (url) => {
    const dispatcher = createEntraDispatcher({
      proxy,
      extraCa: extraCa?.pem,
    })
    try {
      const isDirect = proxy === undefined || !(await usesProxy(url.origin, proxy))
      const address = isDirect ? await findPrivateAddress(url.hostname) : undefined
      if (address !== undefined) {
        return fail(`the address ${address} of its host is not public`)
      }
      return await get(url, dispatcher)
    } catch (error) {
      return fail(describe(error))
    } finally {
      await dispatcher.destroy()
    }
  }
}

async function get(url: URL, dispatcher: Dispatcher): Promise<FetchResult> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const { statusCode, body } = await sendRequest(url, { dispatcher, signal })
  const text = await readBody(body, MAX_BYTES, () => new Error('the document is too large'))
  if (statusCode !== 200) return fail(`it answered ${statusCode}`)
  const json = parseJsonObject(text)
  return json === undefined
    ? fail('it answered something else than a JSON object')
    : { ok: true, json }
}

function fail(reason: string): FetchResult {
  return { ok: false, reason }
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
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv4')
}
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv6')
}

async function findPrivateAddress(hostname: string): Promise<string | undefined> {
  const found = await lookup(removeBrackets(hostname), { all: true })
  return found
    .map(({ address }) => address)
    .find((address) => PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'))
}

/** Returns the message of the innermost cause. */
function describe(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error
    ? describe(error.cause)
    : errorMessage(error)
}
