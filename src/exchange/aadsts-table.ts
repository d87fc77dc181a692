/** The AADSTS codes that this flow can meet (E6), by their digits. */
import type { ErrorCode } from '../errors.ts'

/** One AADSTS code, explained. */
export interface Explanation {
  readonly code: ErrorCode
  /** What Entra ID means by it, in one sentence. */
  readonly meaning: string
  /** What to do about it, as an instruction. */
  readonly remedy: string
}

const REPORT = 'report this as a fault of wimds'
const IDS = 'check AZURE_CLIENT_ID and AZURE_TENANT_ID (or the identities file)'

export const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  // The trust: does a federated identity credential match the assertion?
  70021: trust(
    'no federated identity credential of the identity matches the assertion',
    'compare issuer, subject and audience of the projected token with the credential; wimds doctor prints both and the command that makes it',
  ),
  700211: trust(
    'no federated identity credential of the identity has the issuer of the assertion',
    'set its issuer to the cluster’s OIDC issuer URL to the letter, with its trailing slash if it has one; a cluster that was made anew has a new issuer',
  ),
  700212: mismatch(
    'no federated identity credential of the identity has the audience of the assertion',
    'give the projected token and the credential the same audience, in the public cloud api://AzureADTokenExchange',
  ),
  700213: trust(
    'no federated identity credential of the identity has the subject of the assertion',
    'set its subject to system:serviceaccount:NAMESPACE:SERVICEACCOUNT of this pod, or run the pod under the service account that it names; if both agree, delete the credential and create it again',
  ),
  7002138: mismatch(
    'the subject of the federated identity credential differs from the assertion’s in upper and lower case',
    'write the subject exactly as namespace and service account are named; the comparison is case-sensitive',
  ),
  70025: trust(
    'the identity has no federated identity credentials at all',
    'create one; if it was created minutes ago, wait: it takes a while to reach all of Entra ID',
  ),

  // The assertion itself
  70023: assertion(
    'the projected token is valid for longer than Entra ID allows (25 hours)',
    'mount a projected volume with expirationSeconds from 3600 to 86400 in place of the default service-account token',
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
    'use a projected service-account token of a cluster whose API server names its keys (kid)',
  ),
  5002730: assertion(
    'the assertion is signed with an algorithm that its key does not fit',
    'sign service-account tokens with RS256, which Entra ID supports',
  ),
  700027: assertion(
    'the signature of the assertion is not valid',
    'check that the file holds a token of this cluster’s issuer, and that the issuer publishes the key that signs them',
  ),
  7000216: assertion(
    'the request reached Entra ID without its client assertion',
    'check for a proxy that rewrites requests to Entra ID',
  ),
  7000218: assertion(
    'the request reached Entra ID without its client assertion',
    'check for a proxy that rewrites requests to Entra ID',
  ),

  // The issuer, as Entra ID sees it
  7000272: {
    code: 'issuer_unreachable',
    meaning: 'the key that signed the assertion is not among the keys that the issuer publishes',
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

  // What the tenant's policies allow
  700222: policy(
    'tokens of Entra ID may not be used as assertions here',
    'use the projected token of a Kubernetes cluster',
  ),
  700226: policy(
    'of Entra ID’s own tokens only those of managed identities may be used as assertions',
    'use the projected token of a Kubernetes cluster',
  ),
  700231: policy(
    'an identity that was itself obtained by federation may not be used for federation again',
    'use the projected token of a Kubernetes cluster',
  ),
  700236: policy(
    'tokens of Entra ID may not be used as assertions in this tenant',
    'use the projected token of a Kubernetes cluster',
  ),
  700223: policy(
    'the tenant’s policy does not allow this issuer for workload identity federation',
    'have the tenant’s administrator allow the issuer',
  ),
  700238: policy(
    'the tenant’s policy limits workload identity federation',
    'have the tenant’s administrator allow the issuer, or add the claim that the policy asks for',
  ),
  500021: policy(
    'a tenant restriction of the network forbids this tenant',
    'have the proxy that restricts tenants allow it',
  ),
  53003: policy(
    'a Conditional Access policy blocks the identity',
    'have the tenant’s administrator change the policy, or the network the pod leaves by',
  ),

  // The application and its tenant
  700016: application(
    'the application is not known in the tenant',
    `${IDS}: it must be a client id, not an object id, of that tenant; one created minutes ago takes a while to be known`,
  ),
  7000229: application(
    'the application has no service principal in the tenant',
    'create it with az ad sp create --id CLIENT_ID',
  ),
  7000112: application('the application is disabled', 'enable it in Entra ID'),
  7000215: application('a client secret was sent and is wrong', REPORT),
  7000222: application('a client secret was sent and has expired', REPORT),
  90002: tenant('the tenant does not exist in this cloud'),
  900021: tenant('the tenant id is the empty GUID'),
  900023: tenant('the tenant is neither a GUID nor a domain that Entra ID knows'),
  900382: tenant('the application and the tenant belong to different clouds'),
  900432: tenant('the application and the tenant belong to different clouds'),
  50049: tenant('the authority is not one that Entra ID knows'),
  5000224: lapsed(),
  5000225: lapsed(),

  // The resource
  500011: resource(
    'the resource is not known in the tenant',
    'check the resource’s URI, letter by letter, and that its service exists in this cloud and tenant',
  ),
  500014: resource(
    'the service principal of the resource is disabled',
    'enable it in Entra ID; it is also disabled when the subscription has lapsed',
  ),
  501051: resource(
    'the identity has no role for this resource, and the resource requires one',
    'assign an app role of the resource to the identity',
  ),
  70011: resource('the scope is not valid', 'ask for the resource’s application id URI or GUID'),
  1002012: resource('the scope is not valid', 'ask for the resource’s application id URI or GUID'),

  // The request
  70003: request('the grant type is not supported'),
  900144: request('a parameter is missing'),
  90014: request('a parameter is missing'),
  90013: request('a parameter is malformed'),
  900561: request('the method is not POST'),

  // Entra ID's own troubles
  90055: unavailable('entra_throttled', 'the tenant sends too many requests'),
  50196: unavailable('entra_throttled', 'the client sends the same request too often'),
  90033: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  50033: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  90006: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  90012: unavailable('entra_unavailable', 'the request timed out within Entra ID'),
  90024: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  90090: unavailable('entra_unavailable', 'Entra ID has a transient error'),
  50000: unavailable('entra_unavailable', 'Entra ID could not issue the token'),
}

function trust(meaning: string, remedy: string): Explanation {
  return { code: 'federated_credential_not_found', meaning, remedy }
}

function mismatch(meaning: string, remedy: string): Explanation {
  return { code: 'federated_credential_mismatch', meaning, remedy }
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

/** The only refusals that an administrator has 20 days to undo. */
function lapsed(): Explanation {
  return {
    code: 'tenant_refused',
    meaning: 'the tenant is blocked for inactivity',
    remedy: 'have its administrator reactivate it within 20 days: https://aka.ms/TenantLifecycle',
  }
}

function resource(meaning: string, remedy: string): Explanation {
  return { code: 'resource_refused', meaning, remedy }
}

function policy(meaning: string, remedy: string): Explanation {
  return { code: 'policy_refused', meaning, remedy }
}

function request(meaning: string): Explanation {
  return { code: 'entra_request_rejected', meaning, remedy: REPORT }
}

function unavailable(code: 'entra_throttled' | 'entra_unavailable', meaning: string): Explanation {
  return { code, meaning, remedy: 'nothing: wimds tries again by itself' }
}
