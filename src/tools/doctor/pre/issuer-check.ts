/** Checks whether Entra ID can validate the tokens of a cluster's issuer. */
import * as z from 'zod/mini'
import {
  describeInternalIssuer,
  isInternalIssuer,
  PUBLIC_ISSUER_FIX,
} from '../../../lib/internal-issuer.ts'
import { parseJsonObject } from '../../../lib/json.ts'
import { failed, notChecked, passed } from '../findings.ts'
import { createKubectlFailure, extractReason, type Kubectl } from '../kubectl.ts'
import { createFailure, type FailureCode } from '../failure.ts'
import type { Finding } from '../doctor-report.ts'
import type { FetchDocument, FetchFailure } from './fetch-document.ts'

interface IssuerOptions {
  readonly kubectl: Kubectl
  readonly fetchDocument: FetchDocument
  /** The issuer that the user names; undefined: the one of the cluster. */
  readonly issuer: string | undefined
}

const CHECK = 'issuer'

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.string() })
const KeySet = z.object({
  keys: z.array(z.object({ kty: z.string(), kid: z.optional(z.string()) })),
})

/** Returns what the issuer publishes, compared with what the API server says of itself. */
export async function checkIssuer(options: IssuerOptions): Promise<Finding[]> {
  const own = await readClusterDocument(options.kubectl, '/.well-known/openid-configuration')
  const { data: discovery } = Discovery.safeParse(own.json)
  const issuer = options.issuer ?? discovery?.issuer
  if (issuer === undefined) {
    const reason = 'the discovery document of the API server has no issuer and jwks_uri'
    return [own.finding ?? notChecked(CHECK, reason, NAME_ISSUER)]
  }
  if (discovery !== undefined && discovery.issuer !== issuer) {
    return [
      fail(
        'issuer_mismatch',
        `the tokens of this cluster have the issuer ${discovery.issuer}, not ${issuer}`,
        'use the issuer of the cluster in the federated credential, character by character, or check the context of kubectl',
      ),
    ]
  }
  const published = await checkPublished(issuer, options.fetchDocument)
  if ('finding' in published) return [published.finding]
  return [published.passed, await compareKeys(options.kubectl, published.keyIds)]
}

type Published =
  { readonly finding: Finding } | { readonly passed: Finding; readonly keyIds: readonly string[] }

async function checkPublished(issuer: string, fetchDocument: FetchDocument): Promise<Published> {
  if (isInternalIssuer(issuer)) {
    return {
      finding: fail('issuer_unreachable', describeInternalIssuer(issuer), PUBLIC_ISSUER_FIX),
    }
  }
  const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const document = await fetchDocument(url)
  if (!document.ok) return { finding: explainFetch(url, document) }
  const { data: discovery } = Discovery.safeParse(document.json)
  if (discovery === undefined) {
    return { finding: failFetch(url, 'it has no issuer and jwks_uri') }
  }
  if (discovery.issuer !== issuer) {
    return {
      finding: fail(
        'issuer_mismatch',
        `the discovery document ${url.href} names the issuer ${discovery.issuer}, and the tokens have ${issuer}`,
        'publish the document of this issuer, with the same issuer character by character',
      ),
    }
  }
  const keysUrl = URL.canParse(discovery.jwks_uri) ? new URL(discovery.jwks_uri) : undefined
  if (keysUrl?.protocol !== 'https:') {
    return { finding: failFetch(url, `its jwks_uri is not https: ${discovery.jwks_uri}`) }
  }
  const keys = await fetchDocument(keysUrl)
  if (!keys.ok) return { finding: explainFetch(keysUrl, keys) }
  const keyIds = findKeyIds(keys.json)
  if (keyIds.length === 0) return { finding: failFetch(keysUrl, 'it has no RSA key with a kid') }
  return {
    keyIds,
    passed: passed(
      CHECK,
      issuer,
      `${url.href} names it, and is reachable from this machine`,
      `${keysUrl.href} has ${keyIds.length} RSA key${keyIds.length === 1 ? '' : 's'}`,
    ),
  }
}

/** Returns a failure if the API server signs, or may sign, with a key that is not published. */
async function compareKeys(kubectl: Kubectl, published: readonly string[]): Promise<Finding> {
  const check = 'signing_keys'
  const { json, finding } = await readClusterDocument(kubectl, '/openid/v1/jwks')
  if (json === undefined) {
    return notChecked(check, finding?.reason ?? 'the API server did not say which keys it uses')
  }
  const missing = findKeyIds(json).filter((id) => !published.includes(id))
  return missing.length === 0
    ? passed(check, 'the keys of the API server are all published')
    : failed(
        check,
        createFailure(
          'issuer_unreachable',
          `the API server has signing keys that the issuer does not publish: ${missing.join(', ')}`,
          'publish the current keys of the cluster (kubectl get --raw /openid/v1/jwks); Entra ID may take 30 minutes to see a new one',
        ),
      )
}

/** Returns the ids of the RSA keys: Entra ID accepts RS256 only. */
function findKeyIds(json: unknown): string[] {
  const { data: { keys } = { keys: [] } } = KeySet.safeParse(json)
  return keys.flatMap(({ kty, kid }) => (kty === 'RSA' && kid !== undefined ? [kid] : []))
}

interface ClusterDocument {
  readonly json?: Readonly<Record<string, unknown>> | undefined
  /** Why there is none. */
  readonly finding?: Finding
}

/** Reads a document of the API server's issuer discovery. */
async function readClusterDocument(kubectl: Kubectl, path: string): Promise<ClusterDocument> {
  const args = ['get', '--raw', path]
  const result = await kubectl(args)
  if (!result.ran) return { finding: failed(CHECK, result.failure) }
  if (result.code === 0) return { json: parseJsonObject(result.stdout) }
  if (/forbidden/i.test(result.stderr)) {
    const reason = `you may not read ${path} of the API server (${extractReason(result.stderr)})`
    return { finding: notChecked(CHECK, reason, NAME_ISSUER) }
  }
  return { finding: failed(CHECK, createKubectlFailure(args, result)) }
}

const NAME_ISSUER =
  'Fix: add --issuer URL, which on AKS az aks show --query oidcIssuerProfile.issuerUrl prints'

/** Returns a failure of the issuer, or that this machine cannot find one. */
function explainFetch(url: URL, { reason, unreachable }: FetchFailure): Finding {
  if (unreachable === undefined) return failFetch(url, reason)
  return notChecked(
    CHECK,
    `this machine reaches neither ${url.href} (${reason}) nor ${unreachable.endpoint} (${unreachable.reason})`,
    'Fix: run it where the internet can be reached, or set HTTPS_PROXY and check DNS and the firewall of this machine',
  )
}

function failFetch(url: URL, reason: string): Finding {
  return fail(
    'issuer_unreachable',
    `${url.href} cannot be used from the internet: ${reason}`,
    `make it reachable with a certificate of a public authority; ${PUBLIC_ISSUER_FIX}`,
  )
}

function fail(code: FailureCode, message: string, fix: string): Finding {
  return failed(CHECK, createFailure(code, message, fix))
}
