/** Checks whether Entra ID can validate the tokens of a cluster's issuer. */
import * as z from 'zod/mini'
import { errorMessage } from '../../../lib/describe-error.ts'
import {
  describeInternalIssuer,
  isInternalIssuer,
  PUBLIC_ISSUER_FIX,
} from '../../../lib/internal-issuer.ts'
import type { Finding } from '../doctor-report.ts'
import {
  catchEnd,
  CheckEnd,
  createFinding,
  endAsFailed,
  endUnmade,
  failed,
  type Outcome,
  passed,
  runCheck,
} from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'
import { fetchDocument, type Network } from './fetch-document.ts'

interface IssuerOptions {
  readonly kubectl: Kubectl
  readonly network: Network
  /** The issuer that the user names; undefined: the one of the cluster. */
  readonly issuer: string | undefined
}

const Discovery = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  authorization_endpoint: z.optional(z.string()),
  subject_types_supported: z.optional(z.array(z.string())),
})
const KeySet = z.object({
  keys: z.array(z.object({ kty: z.string(), kid: z.optional(z.string()) })),
})

/** Returns what the issuer publishes, compared with what the API server says of itself. */
export async function checkIssuer({
  kubectl,
  network,
  issuer: named,
}: IssuerOptions): Promise<Finding[]> {
  const published = await catchEnd(async () =>
    readPublished(await findIssuer(kubectl, named), network),
  )
  if (published instanceof CheckEnd) return [createFinding('issuer', published.outcome)]
  const { keyIds, details } = published
  return [
    createFinding('issuer', passed(...details)),
    await runCheck('signing_keys', () => compareKeys(kubectl, keyIds)),
  ]
}

const NAME_ISSUER =
  'Fix: add --issuer URL, which on AKS az aks show --query oidcIssuerProfile.issuerUrl prints'

/** Returns the issuer of the cluster, or the one that the user names if the cluster does not say another one. */
async function findIssuer(kubectl: Kubectl, named: string | undefined): Promise<string> {
  const own = readOwn(kubectl, '/.well-known/openid-configuration', Discovery, NAME_ISSUER)
  if (named === undefined) return (await own).issuer
  const issuer = await own.then(
    (discovery) => discovery.issuer,
    () => named,
  )
  if (issuer === named) return issuer
  return endAsFailed({
    code: 'issuer_mismatch',
    problem: `the tokens of this cluster have the issuer ${issuer}, not ${named}`,
    fix: 'use the issuer of the cluster in the federated credential, character by character, or check the context of kubectl',
  })
}

/** Reads a document that the API server has of itself. Ends the check as not made if it cannot be read. */
async function readOwn<T>(
  kubectl: Kubectl,
  path: string,
  schema: z.ZodMiniType<T>,
  ...details: string[]
): Promise<T> {
  const result = await kubectl(['get', '--raw', path])
  const data = parseOutput(schema, result)
  if (data !== undefined) return data
  const reason = result.code === 0 ? 'it has another form' : result.reason
  return endUnmade(`${path} of the API server was not read: ${reason}`, ...details)
}

/** Reads what the issuer publishes. Ends the check as failed if Entra ID could not use it. */
async function readPublished(issuer: string, network: Network) {
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
  const keys = await fetchDocument(keysUrl, KeySet, network).catch((error: unknown) =>
    rejectDocument(keysUrl, errorMessage(error)),
  )
  const keyIds = findKeyIds(keys)
  if (keyIds.length === 0) return rejectDocument(keysUrl, 'it has no RSA key with a kid')
  const details = [
    issuer,
    `${url.href} names it, and is reachable from this machine`,
    `${keysUrl.href} has ${keyIds.length} RSA key${keyIds.length === 1 ? '' : 's'}`,
  ]
  return { keyIds, details }
}

/** Ends the check as failed by this document. */
function rejectDocument(url: URL, reason: string): never {
  return endAsFailed({
    code: 'issuer_unreachable',
    problem: `${url.href} cannot be used: ${reason}`,
    fix: `if this machine does not reach the internet, run it elsewhere or set HTTPS_PROXY; otherwise make the issuer reachable with a certificate of a public authority; ${PUBLIC_ISSUER_FIX}`,
  })
}

/** Returns a failure if the API server signs, or may sign, with a key that is not published. */
async function compareKeys(kubectl: Kubectl, published: readonly string[]): Promise<Outcome> {
  const own = findKeyIds(await readOwn(kubectl, '/openid/v1/jwks', KeySet))
  if (own.length === 0) {
    return failed({
      code: 'issuer_unreachable',
      problem:
        'the API server signs with no RSA key that has a kid, but Entra ID accepts only RS256',
      fix: 'let the API server sign with an RSA key (--service-account-signing-key-file)',
    })
  }
  const missing = own.filter((id) => !published.includes(id))
  if (missing.length === 0) return passed('the keys of the API server are all published')
  return failed({
    code: 'issuer_unreachable',
    problem: `the API server has signing keys that the issuer does not publish: ${missing.join(', ')}`,
    fix: 'publish the current keys of the cluster (kubectl get --raw /openid/v1/jwks); Entra ID may take 30 minutes to see a new one',
  })
}

/** Returns the ids of the RSA keys: Entra ID accepts RS256 only. */
function findKeyIds({ keys }: z.infer<typeof KeySet>): string[] {
  return keys.flatMap(({ kty, kid }) => (kty === 'RSA' && kid !== undefined ? [kid] : []))
}
