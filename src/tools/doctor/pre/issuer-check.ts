/** Checks whether Entra ID can validate the tokens of a cluster's issuer. */
import * as z from 'zod/mini'
import { errorMessage } from '../../../lib/describe-error.ts'
import {
  describeInternalIssuer,
  isInternalIssuer,
  PUBLIC_ISSUER_FIX,
} from '../../../lib/internal-issuer.ts'
import { endAsFailed, notChecked, type Outcome, passed } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'
import { fetchDocument, type Network } from './fetch-document.ts'

const Discovery = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  authorization_endpoint: z.optional(z.string()),
  subject_types_supported: z.optional(z.array(z.string())),
})
const KeySet = z.object({
  keys: z.array(z.object({ kty: z.string(), kid: z.optional(z.string()) })),
})

/** Returns what the issuer of the cluster publishes. */
export async function checkIssuer(kubectl: Kubectl, network: Network): Promise<Outcome> {
  const path = '/.well-known/openid-configuration'
  const result = await kubectl(['get', '--raw', path])
  const own = parseOutput(Discovery, result)
  if (own !== undefined) return passed(...(await readPublished(own.issuer, network)))
  const reason = result.code === 0 ? 'it has another form' : result.reason
  return notChecked(`${path} of the API server was not read: ${reason}`)
}

/** Returns what was found of the documents of the issuer. Ends the check as failed if Entra ID could not use them. */
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
  // Entra ID accepts a document without these members.
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

/** Ends the check as failed by this document. */
function rejectDocument(url: URL, reason: string): never {
  return endAsFailed({
    code: 'issuer_unreachable',
    problem: `${url.href} cannot be used: ${reason}`,
    fix: `if this machine does not reach the internet, run it elsewhere or set HTTPS_PROXY; otherwise make the issuer reachable with a certificate of a public authority; ${PUBLIC_ISSUER_FIX}`,
  })
}
