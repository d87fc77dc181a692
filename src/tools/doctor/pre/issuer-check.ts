/** Checks whether Entra ID can validate the tokens of a cluster's issuer. */
import type { Dispatcher } from 'undici'
import * as z from 'zod/mini'
import type { Config } from '../../../broker/config/config.ts'
import { createExchangeDispatchers } from '../../../broker/exchange/dispatcher.ts'
import { errorMessage } from '../../../lib/describe-error.ts'
import { parseJson } from '../../../lib/json.ts'
import { readBody } from '../../../lib/read-body.ts'
import {
  describeInternalIssuer,
  isInternalIssuer,
  PUBLIC_ISSUER_FIX,
} from '../../../lib/internal-issuer.ts'
import { endAsFailed, type Outcome, passed } from '../findings.ts'
import { type Kubectl, readJson } from '../kubectl.ts'

/** The settings with which this machine reaches the internet. */
export type Network = Pick<Config['exchange'], 'proxy' | 'extraCa'>

const Discovery = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  authorization_endpoint: z.optional(z.string()),
  subject_types_supported: z.optional(z.array(z.string())),
})
const KeySet = z.object({
  keys: z.array(z.object({ kty: z.string(), kid: z.optional(z.string()) })),
})

/** Checks what the issuer of the cluster publishes. */
export async function checkIssuer(kubectl: Kubectl, network: Network): Promise<Outcome> {
  const args = ['get', '--raw=/.well-known/openid-configuration']
  const { issuer } = await readJson(kubectl, Discovery, args)
  return passed(...(await readPublished(issuer, network)))
}

/** Reads the documents of the issuer, and returns facts about them. Ends the check as failed if Entra ID could not use them. */
async function readPublished(issuer: string, network: Network): Promise<string[]> {
  if (isInternalIssuer(issuer)) {
    const problem = describeInternalIssuer(issuer)
    return endAsFailed({ code: 'issuer_unreachable', problem, fix: PUBLIC_ISSUER_FIX })
  }
  const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const discovery = await fetchDocument(url, Discovery, network).catch((error: unknown) =>
    rejectDocument(url, errorMessage(error)),
  )
  if (discovery.issuer !== issuer) {
    return endAsFailed({
      code: 'issuer_mismatch',
      problem: `the discovery document ${url.href} names the issuer ${discovery.issuer}, but the tokens have ${issuer}`,
      fix: 'publish the document of this issuer, with the same issuer character by character',
    })
  }
  // Entra ID rejects these members if they are empty, but accepts a document without them.
  if (discovery.authorization_endpoint === '') {
    return rejectDocument(url, 'its authorization_endpoint is empty (AADSTS50166)')
  }
  if (discovery.subject_types_supported?.length === 0) {
    return rejectDocument(url, 'its subject_types_supported is empty (AADSTS501661)')
  }
  const keysUrl = URL.parse(discovery.jwks_uri)
  if (keysUrl?.protocol !== 'https:') {
    return rejectDocument(url, `its jwks_uri is not https: ${discovery.jwks_uri}`)
  }
  const { keys } = await fetchDocument(keysUrl, KeySet, network).catch((error: unknown) =>
    rejectDocument(keysUrl, errorMessage(error)),
  )
  // Entra ID accepts RS256 only.
  const { length: count } = keys.filter(({ kty, kid }) => kty === 'RSA' && kid !== undefined)
  if (count === 0) return rejectDocument(keysUrl, 'it has no RSA key with a kid')
  return [
    issuer,
    `${url.href} names it, and is reachable from this machine`,
    `${keysUrl.href} has ${count} RSA key${count === 1 ? '' : 's'}`,
  ]
}

/** Ends the check as failed because of this document. */
function rejectDocument(url: URL, reason: string): never {
  return endAsFailed({
    code: 'issuer_unreachable',
    problem: `${url.href} cannot be used: ${reason}`,
    fix: `if this machine does not reach the internet, run doctor elsewhere or set HTTPS_PROXY. Otherwise make the issuer reachable with a certificate of a public authority; ${PUBLIC_ISSUER_FIX}`,
  })
}

const TIMEOUT_MS = 10_000
const MAX_BYTES = 1_048_576

/**
 * Fetches a JSON document of this schema as Entra ID does: https, no redirects, a size cap. Throws an error whose message is the
 * reason if it cannot be used.
 */
async function fetchDocument<T>(url: URL, schema: z.ZodMiniType<T>, network: Network): Promise<T> {
  const settings = { ...network, tokenProxy: undefined, timeoutMs: TIMEOUT_MS }
  const { dispatcher } = createExchangeDispatchers(settings)
  try {
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

/** Returns the innermost cause. */
function findCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? findCause(error.cause) : error
}
