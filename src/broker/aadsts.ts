/** The AADSTS codes that an exchange can meet (E6): what each means, whether it passes, and how to fix it. */
import { DEFAULT_AUDIENCE } from '../lib/clouds.ts'
import type { AssertionClaims, EntraDetails, ErrorCode } from '../lib/errors.ts'
import { scrubAndTruncate } from '../lib/secret.ts'
import { docsPage } from '../lib/version.ts'

/** One AADSTS code, with all that wimds knows about it. Code that acts on an AADSTS code reads its entry. */
export interface AadstsEntry {
  readonly code: ErrorCode
  /**
   * Minutes within which the rejection may pass although nobody changes anything; 0: only a change ends it; Infinity: it may
   * pass at any time. A rejection with a permanent code counts as temporary for this long.
   */
  readonly passesWithinMinutes: number
  /** True for a rejection that lasts as long as the issuer of the assertion is internal to the cluster. */
  readonly needsPublicIssuer: boolean
  /** One sentence without a full stop. */
  readonly explanation: string
  /** An instruction without a full stop. `{issuer}`, `{subject}` and `{audience}` stand for the claims of the assertion. */
  readonly fix: string
}

/**
 * A new credential or application takes minutes to reach all nodes of Entra ID: two minutes in a measurement (E8). A longer
 * grace would make clients with long retries look hung until the final answer.
 */
const PROPAGATION_MINUTES = 3
/** A new issuer or key takes up to half an hour (E8). */
const ISSUER_MINUTES = 30

const ALGORITHM_FIX =
  'sign service-account tokens with an RSA key (--service-account-signing-key-file of the API server): Entra ID accepts RS256'

/** The fix for a response without a known AADSTS code, by error code; without a full stop. */
export const DEFAULT_FIXES = {
  entra_throttled:
    'wait: wimds retries after the time in Retry-After, at most an hour; look for pods that restart often, or that request tokens for many resources',
  entra_unavailable: 'wait: wimds retries by itself; if it lasts, see the service health of Azure',
  entra_bad_response: 'check for a proxy between the pod and the login host',
  entra_request_rejected:
    'look up the AADSTS code, if the message has one, at https://login.microsoftonline.com/error',
} as const satisfies Partial<Record<ErrorCode, string>>

/** Creates entries of one kind; `commonFix` is the fix of an entry without one of its own. */
const entriesOf =
  (code: ErrorCode, passesWithinMinutes = 0, { commonFix = '', needsPublicIssuer = false } = {}) =>
  (explanation: string, fix = commonFix): AadstsEntry => ({
    code,
    passesWithinMinutes,
    needsPublicIssuer,
    explanation,
    fix,
  })

const PUBLIC_ISSUER = { needsPublicIssuer: true }
const notFound = entriesOf('federated_credential_not_found', PROPAGATION_MINUTES, PUBLIC_ISSUER)
const mismatch = entriesOf('federated_credential_mismatch', 0, PUBLIC_ISSUER)
const newMismatch = entriesOf('federated_credential_mismatch', PROPAGATION_MINUTES, PUBLIC_ISSUER)
const assertion = entriesOf('assertion_refused')
const notInTime = entriesOf('assertion_not_yet_valid', Infinity)
const unreadable = entriesOf('issuer_unreachable', ISSUER_MINUTES, PUBLIC_ISSUER)
const unusableKeys = entriesOf('issuer_unreachable', ISSUER_MINUTES)
const policy = entriesOf('policy_refused')
const application = entriesOf('application_refused')
const newApplication = entriesOf('application_refused', PROPAGATION_MINUTES)
const resource = entriesOf('resource_refused')
const tenant = entriesOf('tenant_refused', 0, {
  commonFix:
    'check AZURE_TENANT_ID (annotation azure.workload.identity/tenant-id of the ServiceAccount; recreate the pods after a change) or tenantId in the identities file, and AZURE_AUTHORITY_HOST',
})
const throttled = entriesOf('entra_throttled', Infinity, {
  commonFix: DEFAULT_FIXES.entra_throttled,
})
const unavailable = entriesOf('entra_unavailable', Infinity, {
  commonFix: DEFAULT_FIXES.entra_unavailable,
})

const AUDIENCE: readonly [explanation: string, fix: string] = [
  'no federated credential of the identity has the audience of the assertion',
  `if the audience of the token, {audience}, is not the audience of your cloud (${DEFAULT_AUDIENCE} in the public cloud), correct it in the projected volume; otherwise set the audience of the federated credential to {audience}`,
]

/** The entries; a key lists the numbers that its entry explains. */
const ENTRIES: Readonly<Record<string, AadstsEntry>> = {
  // The federated credential: does one match the assertion?
  70021: notFound(
    'no federated credential of the identity matches the assertion',
    'create a federated credential with issuer {issuer}, subject {subject} and audience {audience}; wimds doctor prints the command',
  ),
  '700211 7002111': notFound(
    'no federated credential of the identity has the issuer of the assertion',
    'set the issuer of the federated credential to exactly {issuer} (a slash at the end counts); a recreated cluster has a new issuer',
  ),
  700212: newMismatch(...AUDIENCE),
  7002121: mismatch(...AUDIENCE),
  '700213 7002137': notFound(
    'no federated credential of the identity has the subject of the assertion',
    'create a federated credential with subject {subject}, or run the pod under the service account that an existing one names; if one with this subject is still rejected ten minutes after its creation, delete and recreate it',
  ),
  // Only an application with a flexible credential gets this number.
  7002131: notFound(
    'no federated credential of the identity has the subject of the assertion, or an expression that matches it',
    'create a federated credential with subject {subject}: flexible credentials, which have an expression, are for GitHub, GitLab and Terraform Cloud only',
  ),
  7002138: mismatch(
    'the subjects of the federated credential and of the assertion differ in upper and lower case',
    'write the subject of the federated credential exactly as {subject}: the comparison is case-sensitive',
  ),
  70025: notFound(
    'the identity has no federated credentials',
    'create a federated credential with issuer {issuer}, subject {subject} and audience {audience}; if it was created minutes ago, wait until it has propagated',
  ),

  // The assertion itself
  70023: assertion(
    'the projected token is valid for longer than Entra ID allows (25 hours)',
    'mount a projected volume with expirationSeconds from 3600 to 86400 instead of the default service-account token',
  ),
  700024: notInTime(
    'the current time is not between the nbf and exp of the assertion',
    'check the clocks of the node and of the control plane, and that the kubelet rotates the projected token file',
  ),
  50027: assertion(
    'the assertion is not a well-formed JWT',
    'point AZURE_FEDERATED_TOKEN_FILE at the projected service-account token',
  ),
  5002723: assertion(
    'the assertion has no key id',
    'use a projected service-account token of a cluster whose API server sets kid',
  ),
  5002727: assertion(
    'the type (typ) in the header of the assertion is not JWT',
    'point AZURE_FEDERATED_TOKEN_FILE at the projected service-account token, whose header has no typ',
  ),
  5002730: assertion('the signing algorithm of the assertion does not fit its key', ALGORITHM_FIX),
  5002738: assertion('Entra ID does not support the signing algorithm', ALGORITHM_FIX),
  5002741: assertion(
    'the assertion has more than one audience (aud)',
    'use a token with one audience, such as the token of a projected volume',
  ),
  900384: assertion(
    'the signature of the assertion is invalid, or the tenant is of another cloud',
    'check that AZURE_AUTHORITY_HOST is the login host of the tenant’s cloud, and that the file contains a token of this cluster',
  ),
  700027: assertion(
    'the signature of the assertion is invalid',
    'check that the file contains a token of this cluster, and that the issuer publishes the key that signs it',
  ),
  '7000216 7000218': assertion(
    'the request reached Entra ID without its client assertion',
    'check for a proxy that rewrites requests to Entra ID',
  ),

  // The issuer, as Entra ID sees it
  7000272: unusableKeys(
    'the key that signed the assertion is not among the keys that the issuer publishes',
    'publish the cluster’s current signing key in its JWKS; Entra ID may take 30 minutes to see a new one',
  ),
  '50166 501661 90061': unreadable(
    'Entra ID cannot fetch the discovery document or the keys of the cluster’s issuer',
    'make the issuer’s /.well-known/openid-configuration and its JWKS reachable from the internet; a member authorization_endpoint or subject_types_supported of the document must not be empty',
  ),
  900612: unusableKeys(
    'the keys that the cluster’s issuer publishes cannot be parsed',
    'fix the JWKS document of the issuer',
  ),

  // What the tenant's policies allow
  700226: policy(
    'Entra ID allows its own tokens as assertions only if they are tokens of managed identities',
    'use the projected token of a Kubernetes cluster',
  ),
  // E10
  700231: policy(
    'a token obtained by federation is not allowed as an assertion, not even a managed identity’s in a pod',
    'create a federated credential of the application for the issuer of the cluster, and use the projected token',
  ),
  700229: policy(
    'a token of Entra ID that was issued for a user is not allowed as assertion',
    'use the projected token of a Kubernetes cluster',
  ),
  '700222 700236': policy(
    'tokens of Entra ID are not allowed as assertions in this tenant',
    'use the projected token of a Kubernetes cluster',
  ),
  700223: policy(
    'the tenant’s policy does not allow this issuer for workload identity federation',
    'have the tenant’s administrator allow the issuer',
  ),
  '700238 7002381': policy(
    'the tenant’s policy limits workload identity federation',
    'have the tenant’s administrator allow the issuer, or add the claim that the policy requires',
  ),
  '50002 500021 500022': policy(
    'a tenant restriction of the network blocks this tenant',
    'allow the tenant in the proxy that restricts tenants',
  ),
  53003: policy(
    'a Conditional Access policy blocks the identity',
    'have the tenant’s administrator change the policy, or change the network from which the cluster connects',
  ),

  // The application and its tenant
  '700011 700016': newApplication(
    'the application is not known in the tenant',
    'use the client id, not the object id: check client_id in the request, or else AZURE_CLIENT_ID (annotation azure.workload.identity/client-id of the ServiceAccount; recreate the pods after a change) or the identities file. Check the tenant too. If the application was created minutes ago, wait',
  ),
  7000229: newApplication(
    'the application has no service principal in the tenant',
    'create it with az ad sp create --id CLIENT_ID',
  ),
  7000112: application('the application is disabled', 'enable it in Entra ID'),
  700025: application(
    'the application is registered as a public client, which may not send an assertion',
    'set “Allow public client flows” of its registration to No (isFallbackPublicClient: false), or use a managed identity',
  ),
  90099: application(
    'the application has not been authorized in the tenant, which a partner administers',
    'have an administrator of the tenant consent to the application',
  ),
  100007: application(
    'the regional endpoints of Entra ID serve managed identities and applications of Microsoft only',
    'unset AZURE_REGIONAL_AUTHORITY_NAME',
  ),
  90002: tenant('the tenant does not exist in this cloud'),
  900021: tenant('the tenant id is the empty GUID'),
  900023: tenant('the tenant is neither a GUID nor a domain that Entra ID knows'),
  90038: tenant('the tenant belongs to another cloud'),
  '900382 900432': tenant('the application and the tenant belong to different clouds'),
  900439: tenant(
    'the tenant is in Azure Government, and the request went to the login host of the public cloud',
    'set AZURE_AUTHORITY_HOST to https://login.microsoftonline.us',
  ),
  900440: tenant(
    'the tenant is in the public cloud, and the request went to the login host of Azure Government',
    'set AZURE_AUTHORITY_HOST to https://login.microsoftonline.com, or remove it',
  ),
  50049: tenant('the authority is not one that Entra ID knows'),
  '5000224 5000225': tenant(
    'the tenant is blocked for inactivity',
    'have its administrator reactivate it within 20 days: https://aka.ms/TenantLifecycle',
  ),

  // The resource
  '50001 500011': resource(
    'the resource is not known in the tenant',
    'check the spelling of the resource (https://vault.azure.net and not the URL of one vault), and that its service exists in this cloud and tenant',
  ),
  500014: resource(
    'the service principal of the resource is disabled',
    'enable it in Entra ID; it is also disabled when the subscription has lapsed',
  ),
  501051: resource(
    'the resource requires a role, but the identity has none',
    'assign an app role of the resource to the identity',
  ),
  501461: resource(
    'the resource has acceptMappedClaims, but its identifier is neither its application id nor in a verified domain of the tenant',
    'request the GUID of the resource, or give it an identifier in a verified domain',
  ),
  '70011 1002012': resource(
    'the scope is not valid',
    'request the application id URI or GUID of the resource',
  ),

  // Errors of Entra ID itself
  90055: throttled('the tenant sends too many requests'),
  50196: throttled('the client repeats the same request too often'),
  '90033 50033 50087 90006 90024 90090 90091': unavailable('Entra ID has a transient error'),
  90012: unavailable('the request timed out within Entra ID'),
  50000: unavailable('Entra ID could not issue the token'),
}

export const AADSTS_TABLE: ReadonlyMap<number | undefined, AadstsEntry> = new Map(
  Object.entries(ENTRIES).flatMap(([numbers, entry]) =>
    numbers.split(' ').map((number) => [Number(number), entry] as const),
  ),
)

/** A new number of this family is another reason why no federated credential matches (E6). */
const CREDENTIAL_FAMILY = /^70021\d{1,2}$/

/**
 * Returns the listed number whose entry explains an AADSTS number. For an unlisted number of the family of 70021, that is the
 * listed number with fewer digits: 700213 for 7002139. Returns undefined for any other unlisted number, and without a number.
 */
function findListed(aadsts?: number): number | undefined {
  if (aadsts === undefined || AADSTS_TABLE.has(aadsts)) return aadsts
  return CREDENTIAL_FAMILY.test(String(aadsts)) ? findListed(Math.floor(aadsts / 10)) : undefined
}

/** Returns the entry that explains an AADSTS number; undefined for an unknown number, and without a number. */
export function explainAadsts(aadsts?: number): AadstsEntry | undefined {
  return AADSTS_TABLE.get(findListed(aadsts))
}

/** Returns the entry of an error; undefined if the error has another code, as when an internal issuer explains it. */
export function explainError({
  code,
  entra,
}: {
  readonly code: string
  readonly entra?: EntraDetails | undefined
}): AadstsEntry | undefined {
  const entry = explainAadsts(entra?.aadsts)
  return entry?.code === code ? entry : undefined
}

/** Returns the section of the documentation that explains an AADSTS number; undefined for an unknown one, and without one. */
export function findAadstsPage(aadsts?: number): string | undefined {
  const listed = findListed(aadsts)
  return listed === undefined ? undefined : docsPage('aadsts', `aadsts${listed}`)
}

const MAX_CLAIM = 300

/** Returns the fix of an entry with the claims of this assertion filled in. */
export function formatFix(
  { fix }: Pick<AadstsEntry, 'fix'>,
  { issuer, subject, audience }: AssertionClaims,
): string {
  const claims: Readonly<Record<string, string>> = {
    issuer,
    subject,
    audience: audience.join(', '),
  }
  return fix.replaceAll(/\{(\w+)\}/g, (_, name) => scrubAndTruncate(claims[name] ?? '', MAX_CLAIM))
}
