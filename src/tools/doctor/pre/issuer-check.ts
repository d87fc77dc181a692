/** Checks whether Entra ID can validate the tokens of a cluster's issuer. */
import * as z from 'zod/mini'
import {
  describeInternalIssuer,
  isInternalIssuer,
  PUBLIC_ISSUER_FIX,
} from '../../../lib/internal-issuer.ts'
import { parseJsonObject } from '../../../lib/json.ts'
import type { Finding } from '../doctor-report.ts'
import { createFinding, failed, notChecked, type Outcome, passed } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import type { FetchDocument } from './fetch-document.ts'

interface IssuerOptions {
  readonly kubectl: Kubectl
  readonly fetchDocument: FetchDocument
  /** The issuer that the user names; undefined: the one of the cluster. */
  readonly issuer: string | undefined
}

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.string() })
const KeySet = z.object({
  keys: z.array(z.object({ kty: z.string(), kid: z.optional(z.string()) })),
})

/** Returns what the issuer publishes, compared with what the API server says of itself. */
export async function checkIssuer(options: IssuerOptions): Promise<Finding[]> {
  const { kubectl, fetchDocument } = options
  const own = await readClusterDocument(kubectl, '/.well-known/openid-configuration')
  const { data: discovery } = Discovery.safeParse(own.json)
  const issuer = options.issuer ?? discovery?.issuer
  if (issuer === undefined) return [createFinding('issuer', own.outcome ?? NO_ISSUER)]
  if (discovery !== undefined && discovery.issuer !== issuer) {
    const outcome = failed({
      code: 'issuer_mismatch',
      problem: `the tokens of this cluster have the issuer ${discovery.issuer}, not ${issuer}`,
      fix: 'use the issuer of the cluster in the federated credential, character by character, or check the context of kubectl',
    })
    return [createFinding('issuer', outcome)]
  }
  const { outcome, keyIds } = await checkPublished(issuer, fetchDocument)
  const finding = createFinding('issuer', outcome)
  if (keyIds === undefined) return [finding]
  return [finding, createFinding('signing_keys', await compareKeys(kubectl, keyIds))]
}

interface Published {
  readonly outcome: Outcome
  /** The keys of a valid issuer. */
  readonly keyIds?: readonly string[]
}

async function checkPublished(issuer: string, fetchDocument: FetchDocument): Promise<Published> {
  if (isInternalIssuer(issuer)) {
    const problem = describeInternalIssuer(issuer)
    return { outcome: failed({ code: 'issuer_unreachable', problem, fix: PUBLIC_ISSUER_FIX }) }
  }
  const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const document = await fetchDocument(url)
  if (!document.ok) return { outcome: failFetch(url, document.reason) }
  const { data: discovery } = Discovery.safeParse(document.json)
  if (discovery === undefined) {
    return { outcome: failFetch(url, 'it has no issuer and jwks_uri') }
  }
  if (discovery.issuer !== issuer) {
    const outcome = failed({
      code: 'issuer_mismatch',
      problem: `the discovery document ${url.href} names the issuer ${discovery.issuer}, and the tokens have ${issuer}`,
      fix: 'publish the document of this issuer, with the same issuer character by character',
    })
    return { outcome }
  }
  const keysUrl = URL.parse(discovery.jwks_uri)
  if (keysUrl?.protocol !== 'https:') {
    return { outcome: failFetch(url, `its jwks_uri is not https: ${discovery.jwks_uri}`) }
  }
  const keys = await fetchDocument(keysUrl)
  if (!keys.ok) return { outcome: failFetch(keysUrl, keys.reason) }
  const keyIds = findKeyIds(keys.json)
  if (keyIds.length === 0) return { outcome: failFetch(keysUrl, 'it has no RSA key with a kid') }
  const outcome = passed(
    issuer,
    `${url.href} names it, and is reachable from this machine`,
    `${keysUrl.href} has ${keyIds.length} RSA key${keyIds.length === 1 ? '' : 's'}`,
  )
  return { keyIds, outcome }
}

/** Returns a failure if the API server signs, or may sign, with a key that is not published. */
async function compareKeys(kubectl: Kubectl, published: readonly string[]): Promise<Outcome> {
  const { json, outcome } = await readClusterDocument(kubectl, '/openid/v1/jwks')
  if (json === undefined) {
    return notChecked(outcome?.reason ?? 'the API server did not say which keys it uses')
  }
  const missing = findKeyIds(json).filter((id) => !published.includes(id))
  if (missing.length === 0) return passed('the keys of the API server are all published')
  return failed({
    code: 'issuer_unreachable',
    problem: `the API server has signing keys that the issuer does not publish: ${missing.join(', ')}`,
    fix: 'publish the current keys of the cluster (kubectl get --raw /openid/v1/jwks); Entra ID may take 30 minutes to see a new one',
  })
}

/** Returns the ids of the RSA keys: Entra ID accepts RS256 only. */
function findKeyIds(json: unknown): string[] {
  const { data: { keys } = { keys: [] } } = KeySet.safeParse(json)
  return keys.flatMap(({ kty, kid }) => (kty === 'RSA' && kid !== undefined ? [kid] : []))
}

interface ClusterDocument {
  readonly json?: Readonly<Record<string, unknown>> | undefined
  /** Why it was not read. */
  readonly outcome?: Outcome
}

/** Reads a document of the API server's issuer discovery. */
async function readClusterDocument(kubectl: Kubectl, path: string): Promise<ClusterDocument> {
  const { code, stdout, stderr, reason, fault } = await kubectl(['get', '--raw', path])
  if (code === 0) return { json: parseJsonObject(stdout) }
  if (!/forbidden/i.test(stderr)) return { outcome: failed(fault) }
  const forbidden = `you may not read ${path} of the API server (${reason})`
  return { outcome: notChecked(forbidden, NAME_ISSUER) }
}

const NAME_ISSUER =
  'Fix: add --issuer URL, which on AKS az aks show --query oidcIssuerProfile.issuerUrl prints'

const NO_ISSUER = notChecked(
  'the discovery document of the API server has no issuer and jwks_uri',
  NAME_ISSUER,
)

function failFetch(url: URL, reason: string): Outcome {
  return failed({
    code: 'issuer_unreachable',
    problem: `${url.href} cannot be used: ${reason}`,
    fix: `if this machine does not reach the internet, run it elsewhere or set HTTPS_PROXY; otherwise make the issuer reachable with a certificate of a public authority; ${PUBLIC_ISSUER_FIX}`,
  })
}
