/**
 * The client libraries that call an IMDS, how their requests show which they are, and from which
 * version each speaks workload identity itself, so that the sidecar can go. Where no public source
 * names that version, the table says nothing rather than guess.
 */

export interface ClientFamily {
  /** Its name in metrics. */
  readonly id: string
  /** Its name for people. */
  readonly title: string
  /** The first version that exchanges the projected token itself. */
  readonly workloadIdentitySince?: string
  /** What to do so that the workload no longer needs the sidecar. */
  readonly advice: string
  /** Where the version and the advice come from. */
  readonly source: string
}

interface RecognisedFamily extends ClientFamily {
  /** Matched against the User-Agent; its first group is the version. */
  readonly agent?: RegExp
  /** Matched against x-client-SKU, whose version is in x-client-Ver. */
  readonly sku?: RegExp
}

const AKS_OVERVIEW =
  'learn.microsoft.com/azure/aks/workload-identity-overview, table of minimum versions'
const MSAL_ASSERTIONS =
  'learn.microsoft.com/azure/aks/workload-identity-overview: MSAL needs code that passes the projected token'

const credential = (library: string) =>
  `use DefaultAzureCredential or WorkloadIdentityCredential of ${library}`

function azureIdentity(
  id: string,
  title: string,
  agent: RegExp,
  workloadIdentitySince: string,
): RecognisedFamily {
  const advice = credential(`${title} ${workloadIdentitySince} or later`)
  return { id, title, agent, workloadIdentitySince, advice, source: AKS_OVERVIEW }
}

function msal(id: string, title: string, sku: RegExp, replacement: string): RecognisedFamily {
  return {
    id,
    title,
    sku,
    advice: `pass the projected token as a client assertion, or ${credential(replacement)}`,
    source: MSAL_ASSERTIONS,
  }
}

/** In the order in which they are tried: what an SDK says of itself goes before what it builds on. */
export const RECOGNISED: readonly RecognisedFamily[] = [
  // User-Agents by the guidelines of the Azure SDKs: azsdk-LANGUAGE-PACKAGE/VERSION
  azureIdentity(
    'python-azure-identity',
    'azure-identity (Python)',
    /^azsdk-python-identity\/(\S+)/,
    '1.13.0',
  ),
  azureIdentity(
    'js-azure-identity',
    '@azure/identity (JavaScript)',
    /^azsdk-js-identity\/(\S+)/,
    '3.2.0',
  ),
  azureIdentity('go-azidentity', 'azidentity (Go)', /\bazsdk-go-azidentity\/v?(\S+)/, '1.3.0'),
  azureIdentity(
    'dotnet-azure-identity',
    'Azure.Identity (.NET)',
    /\bazsdk-net-Identity\/(\S+)/i,
    '1.9.0',
  ),
  azureIdentity(
    'java-azure-identity',
    'azure-identity (Java)',
    /\bazsdk-java-(?:azure-)?identity\/(\S+)/,
    '1.9.0',
  ),
  azureIdentity(
    'cpp-azure-identity',
    'azure-identity-cpp (C++)',
    /\bazsdk-cpp-identity\/(\S+)/,
    '1.6.0',
  ),
  {
    id: 'rust-azure-identity',
    title: 'azure_identity (Rust)',
    agent: /\bazsdk-rust-(?:azure_)?identity\/(\S+)/,
    workloadIdentitySince: '1.0.0',
    advice: 'use WorkloadIdentityCredential of azure_identity 1.0.0 or later',
    source: 'docs.rs/crate/azure_identity/1.0.0: src/workload_identity_credential.rs',
  },
  // MSAL and what is built on it, by the headers x-client-SKU and x-client-Ver
  msal('python-msal', 'MSAL for Python', /^MSAL\.Python$/i, 'azure-identity 1.13.0 or later'),
  msal('js-msal', 'MSAL for Node.js', /^msal\.js\.node$/i, '@azure/identity 3.2.0 or later'),
  msal('go-msal', 'MSAL for Go', /^MSAL\.Go$/i, 'azidentity 1.3.0 or later'),
  msal('java-msal', 'MSAL for Java', /^MSAL\.Java$/i, 'azure-identity 1.9.0 or later'),
  msal(
    'dotnet-msal',
    'MSAL.NET',
    /^MSAL\.(?:Net|CoreCLR|Desktop)/i,
    'Azure.Identity 1.9.0 or later',
  ),
  {
    id: 'go-autorest',
    title: 'go-autorest/adal (Go)',
    // Its version is the constant v1.0.0.
    agent: /\bgo-autorest\/adal\//,
    advice: `it is retired; ${credential('azidentity 1.3.0 or later')}`,
    source: 'go-autorest/autorest/adal/version.go (User-Agent); ' + AKS_OVERVIEW,
  },
  {
    id: 'rust-object-store',
    title: 'object_store (Rust)',
    agent: /^object_store\/(\S+)/,
    advice:
      'set AZURE_FEDERATED_TOKEN_FILE, AZURE_CLIENT_ID and AZURE_TENANT_ID, which it reads itself',
    source:
      'docs.rs/object_store: azure::AzureConfigKey::FederatedTokenFile; the first version is unknown',
  },
  {
    id: 'rclone',
    title: 'rclone',
    agent: /^rclone\/v?(\S+)/,
    advice: 'upgrade rclone, and let env_auth find the projected token',
    source: 'rclone.org/azureblob; the first version is unknown',
  },
  // Languages' own HTTP clients: which library calls, they do not say
  generic(
    'python-requests',
    'Python requests',
    /^python-requests\/(\S+)/,
    'msrestazure and the Azure CLI call like this',
  ),
  generic(
    'java-http',
    'Java HTTP client',
    /^Java\/(\S+)/,
    'azure-identity before MSAL and Hadoop’s ABFS call like this; ABFS has a WorkloadIdentityTokenProvider since HADOOP-18610 (3.4 line)',
  ),
  generic(
    'go-http',
    'Go HTTP client',
    /^Go-http-client\/(\S+)/,
    'go-azure-sdk calls like this; the Terraform provider azurerm has use_aks_workload_identity since 3.85.0',
  ),
  generic(
    'node-http',
    'Node.js HTTP client',
    /^(?:node|node-fetch|undici|axios)(?:\/(\S+))?/,
    'a script or an older SDK',
  ),
  generic('curl', 'curl', /^curl\/(\S+)/, 'a script'),
  generic('wget', 'Wget', /^Wget\/(\S+)/i, 'a script'),
]

function generic(id: string, title: string, agent: RegExp, callers: string): RecognisedFamily {
  return {
    id,
    title,
    agent,
    advice: `find out which library calls (${callers}), and move it to an Azure SDK that speaks workload identity`,
    source: 'the client’s default User-Agent',
  }
}

/** Of a request that says nothing of its client. */
export const UNNAMED: ClientFamily = {
  id: 'none',
  title: 'without a name',
  advice: 'find out which process calls; ms-rest-azure and raw sockets send no User-Agent',
  source: 'no User-Agent header',
}

/** Of a request whose User-Agent is none of the table's. */
export const UNKNOWN: ClientFamily = {
  id: 'other',
  title: 'another client',
  advice: 'find out which process calls, and move it to an Azure SDK that speaks workload identity',
  source: 'not in the table',
}

/** The family of an id in metrics; `UNKNOWN` for one that this version does not know. */
export function familyOf(id: string): ClientFamily {
  return [...RECOGNISED, UNNAMED].find((family) => family.id === id) ?? UNKNOWN
}
