/**
 * What Entra ID's AADSTS codes mean for this flow, and what an operator does about each.
 *
 * Microsoft adds digits to a code for its variants (70021 became 700211, 7002138 …), so a code is
 * found by its longest known prefix (Entra contract, section 3).
 */
import type { ErrorCode } from '../errors.ts'

/** One AADSTS code, explained. */
export interface Explanation {
  readonly code: ErrorCode
  /** What Entra ID means by it, in one sentence. */
  readonly meaning: string
  /** What to do about it, as an instruction. */
  readonly remedy: string
}

const COMPARE =
  'compare the issuer, subject and audience of the projected token (wimds doctor prints them) with the federated identity credential'
const CHECK_IDS = 'check AZURE_CLIENT_ID and AZURE_TENANT_ID, and that they belong to one cloud'

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  // The trust: does a federated identity credential match the assertion?
  70021: trust('no federated identity credential of the identity matches the assertion', COMPARE),
  700211: trust(
    'no federated identity credential of the identity has the issuer of the assertion',
    'set its issuer to the cluster’s OIDC issuer URL to the letter, with its trailing slash if it has one; a cluster that was made anew has a new issuer',
  ),
  700212: mismatch(
    'no federated identity credential of the identity has the audience of the assertion',
    'give the projected token and the credential the same audience, in most clouds api://AzureADTokenExchange',
  ),
  700213: trust(
    'no federated identity credential of the identity has the subject of the assertion',
    'set its subject to system:serviceaccount:NAMESPACE:SERVICEACCOUNT of this pod, or run the pod under the service account that it names',
  ),
  7002138: mismatch(
    'the subject of the federated identity credential differs from the assertion’s in upper and lower case',
    'write the subject exactly as the service account is named; the comparison is case-sensitive',
  ),
  70025: trust(
    'the identity has no federated identity credentials at all',
    'create one; if it was created minutes ago, wait: it takes a while to reach all of Entra ID',
  ),

  // The assertion itself
  70023: assertion(
    'the projected token is valid for longer than 24 hours',
    'mount a projected volume with expirationSeconds from 3600 to 86400 instead of the default service-account token',
  ),
  700024: assertion(
    'the assertion is not within its time range',
    'the projected token file is stale or a clock is wrong: check that the kubelet renews the file and that the node’s clock is right',
  ),
  50027: assertion(
    'the assertion is not a well-formed JWT',
    'point AZURE_FEDERATED_TOKEN_FILE at the projected service-account token',
  ),
  5002723: assertion(
    'the assertion names no signing key',
    'the token does not come from a Kubernetes issuer that names its keys; use a projected service-account token',
  ),
  700027: assertion(
    'the signature of the assertion is not valid',
    'the file does not hold a token of this cluster’s issuer; check the issuer and its published keys',
  ),
  7000272: {
    code: 'issuer_unreachable',
    meaning: 'the key that signed the assertion is not among the keys the issuer publishes',
    remedy:
      'publish the cluster’s current signing key in its JWKS; Entra ID may take 30 minutes to see a new one',
  },
  50166: issuer(),
  501661: issuer(),
  90061: issuer(),
  900612: assertion(
    'the keys that the cluster’s issuer publishes cannot be parsed',
    'mend the JWKS document of the issuer',
  ),
  700222: policy(
    'the issuer of the assertion may not be used for this kind of trust',
    'use a Kubernetes cluster’s issuer',
  ),
  700223: policy(
    'the tenant’s policy does not allow this issuer for workload identity federation',
    'have the tenant’s administrator allow the issuer',
  ),
  700238: policy(
    'the tenant’s policy limits workload identity federation',
    'have the tenant’s administrator allow the issuer',
  ),
  7000216: assertion(
    'the request reached Entra ID without its client assertion',
    'check for a proxy that rewrites requests to Entra ID',
  ),
  7000218: assertion(
    'the request reached Entra ID without its client assertion',
    'check for a proxy that rewrites requests to Entra ID',
  ),

  // The application and its tenant
  700016: application('the application is not known in the tenant', CHECK_IDS),
  7000229: application(
    'the application has no service principal in the tenant',
    'create it with az ad sp create --id CLIENT_ID',
  ),
  7000112: application('the application is disabled', 'enable it in Entra ID'),
  90002: tenant('the tenant does not exist in this cloud'),
  900021: tenant('the tenant id is the empty GUID'),
  900023: tenant('the tenant is neither a GUID nor a domain that Entra ID knows'),
  900382: tenant('the application and the tenant belong to different clouds'),
  900432: tenant('the application and the tenant belong to different clouds'),
  500021: policy(
    'a tenant restriction of the network forbids this tenant',
    'have the proxy that restricts tenants allow it',
  ),
  5000224: tenant('the tenant is blocked for inactivity'),
  5000225: tenant('the tenant is blocked for inactivity'),

  // The resource
  500011: resource(
    'the resource is not known in the tenant',
    'check the resource’s URI, letter by letter, and that its service exists in this cloud and tenant',
  ),
  500014: resource('the service principal of the resource is disabled', 'enable it in Entra ID'),
  501051: resource(
    'the identity has no role for this resource, and the resource requires one',
    'assign an app role of the resource to the identity',
  ),
  70011: resource('the scope is not valid', 'ask for the resource’s application id URI or GUID'),
  1002012: resource('the scope is not valid', 'ask for the resource’s application id URI or GUID'),
  53003: policy(
    'a Conditional Access policy blocks the identity',
    'have the tenant’s administrator change the policy or the network the pod leaves by',
  ),

  // The request
  70003: request('the grant type is not supported'),
  900144: request('a parameter is missing'),
  90014: request('a parameter is missing'),
  90013: request('a parameter is malformed'),
  900561: request('the method is not POST'),
  50049: tenant('the authority is not one that Entra ID knows'),

  // Entra ID's own troubles
  90055: unavailable('entra_throttled', 'the tenant sends too many requests'),
  50196: unavailable('entra_throttled', 'the client sends the same request too often'),
  90033: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  50033: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  90006: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  90012: unavailable('entra_unavailable', 'the request to Entra ID timed out within it'),
  90024: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  90090: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  50000: unavailable('entra_unavailable', 'Entra ID could not issue the token'),
}

const LONGEST = 8

/** The explanation of an AADSTS number, by its longest known prefix; undefined for an unknown one. */
export function explain(aadsts: number): Explanation | undefined {
  const digits = String(aadsts)
  for (let length = Math.min(digits.length, LONGEST); length >= 4; length -= 1) {
    const found = EXPLANATIONS[digits.slice(0, length)]
    if (found !== undefined) return found
  }
  return undefined
}

function trust(meaning: string, remedy: string): Explanation {
  return { code: 'trust_missing', meaning, remedy }
}

function mismatch(meaning: string, remedy: string): Explanation {
  return { code: 'trust_mismatch', meaning, remedy }
}

function assertion(meaning: string, remedy: string): Explanation {
  return { code: 'assertion_refused', meaning, remedy }
}

function issuer(): Explanation {
  return {
    code: 'issuer_unreachable',
    meaning: 'Entra ID cannot fetch the discovery document or the keys of the cluster’s issuer',
    remedy:
      'make the issuer’s /.well-known/openid-configuration and its JWKS reachable from the internet',
  }
}

function application(meaning: string, remedy: string): Explanation {
  return { code: 'application_refused', meaning, remedy }
}

function tenant(meaning: string): Explanation {
  return {
    code: 'tenant_refused',
    meaning,
    remedy: 'check AZURE_TENANT_ID and AZURE_AUTHORITY_HOST',
  }
}

function resource(meaning: string, remedy: string): Explanation {
  return { code: 'resource_refused', meaning, remedy }
}

function policy(meaning: string, remedy: string): Explanation {
  return { code: 'policy_refused', meaning, remedy }
}

function request(meaning: string): Explanation {
  return { code: 'request_refused', meaning, remedy: 'report this as a fault of wimds' }
}

function unavailable(code: 'entra_throttled' | 'entra_unavailable', meaning: string): Explanation {
  return { code, meaning, remedy: 'nothing: wimds tries again by itself' }
}
