/**
 * The client libraries that call an IMDS: how to recognize each by its request headers, and from which
 * version it supports workload identity without a sidecar. A version is absent where no public source
 * names it.
 */

export interface ClientLibrary {
  /** Its name in metrics. */
  readonly id: string
  /** Its name for people. */
  readonly title: string
  /** The first version that exchanges the projected token itself. */
  readonly workloadIdentitySince?: string
  /** The change after which the workload no longer needs the sidecar. */
  readonly advice: string
}

interface RecognizableLibrary extends ClientLibrary {
  /** Matches the User-Agent; its first group is the version. */
  readonly agent?: RegExp
  /** Matches x-client-SKU; the version is in x-client-Ver. */
  readonly sku?: RegExp
}

const credential = (library: string) =>
  `use DefaultAzureCredential or WorkloadIdentityCredential of ${library} or later`

// Source: learn.microsoft.com/azure/aks/workload-identity-overview, table of minimum versions
const sdk = (id: string, title: string, agent: RegExp, since: string): RecognizableLibrary => {
  const advice = credential(`${title} ${since}`)
  return { id, title, agent, workloadIdentitySince: since, advice }
}

// Source: the same page: MSAL needs code that passes the projected token
const msal = (id: string, title: string, sku: RegExp, replacement: string) => {
  const advice = `pass the projected token as a client assertion, or ${credential(replacement)}`
  return { id, title, sku, advice }
}

/** An HTTP client, which does not say which library calls. */
const generic = (id: string, title: string, agent: RegExp, callers: string) => {
  const advice = `find out which library calls (${callers}), and move it to an Azure SDK that supports workload identity`
  return { id, title, agent, advice }
}

/** The first match counts: an SDK stands before the library that it is built on. */
export const CLIENT_LIBRARIES: readonly RecognizableLibrary[] = [
  // User-Agents by the guidelines of the Azure SDKs: azsdk-LANGUAGE-PACKAGE/VERSION
  sdk(
    'python-azure-identity',
    'azure-identity (Python)',
    /^azsdk-python-identity\/(\S+)/,
    '1.13.0',
  ),
  sdk('js-azure-identity', '@azure/identity (JavaScript)', /^azsdk-js-identity\/(\S+)/, '3.2.0'),
  sdk('go-azidentity', 'azidentity (Go)', /\bazsdk-go-azidentity\/v?(\S+)/, '1.3.0'),
  sdk('dotnet-azure-identity', 'Azure.Identity (.NET)', /\bazsdk-net-Identity\/(\S+)/i, '1.9.0'),
  sdk(
    'java-azure-identity',
    'azure-identity (Java)',
    /\bazsdk-java-(?:azure-)?identity\/(\S+)/,
    '1.9.0',
  ),
  sdk('cpp-azure-identity', 'azure-identity-cpp (C++)', /\bazsdk-cpp-identity\/(\S+)/, '1.6.0'),
  {
    // Source: docs.rs/crate/azure_identity/1.0.0: src/workload_identity_credential.rs
    id: 'rust-azure-identity',
    title: 'azure_identity (Rust)',
    agent: /\bazsdk-rust-(?:azure_)?identity\/(\S+)/,
    workloadIdentitySince: '1.0.0',
    advice: 'use WorkloadIdentityCredential of azure_identity 1.0.0 or later',
  },
  // MSAL and the libraries that use it, by the headers x-client-SKU and x-client-Ver
  msal('python-msal', 'MSAL for Python', /^MSAL\.Python$/i, 'azure-identity 1.13.0'),
  msal('js-msal', 'MSAL for Node.js', /^msal\.js\.node$/i, '@azure/identity 3.2.0'),
  msal('go-msal', 'MSAL for Go', /^MSAL\.Go$/i, 'azidentity 1.3.0'),
  msal('java-msal', 'MSAL for Java', /^MSAL\.Java$/i, 'azure-identity 1.9.0'),
  msal('dotnet-msal', 'MSAL.NET', /^MSAL\.(?:Net|CoreCLR|Desktop)/i, 'Azure.Identity 1.9.0'),
  {
    // Source: go-autorest/autorest/adal/version.go (User-Agent); the AKS page above
    id: 'go-autorest',
    title: 'go-autorest/adal (Go)',
    // Its version is the constant v1.0.0.
    agent: /\bgo-autorest\/adal\//,
    advice: `it is retired; ${credential('azidentity 1.3.0')}`,
  },
  {
    // Source: docs.rs/object_store: azure::AzureConfigKey::FederatedTokenFile; the first version is unknown
    id: 'rust-object-store',
    title: 'object_store (Rust)',
    agent: /^object_store\/(\S+)/,
    advice:
      'set AZURE_FEDERATED_TOKEN_FILE, AZURE_CLIENT_ID and AZURE_TENANT_ID, which it reads itself',
  },
  {
    // Source: rclone.org/azureblob; the first version is unknown
    id: 'rclone',
    title: 'rclone',
    agent: /^rclone\/v?(\S+)/,
    advice: 'upgrade rclone, and let env_auth find the projected token',
  },
  {
    // Source: the AKS page above; the version of Azure.Identity is not in the User-Agent
    id: 'dotnet-azure-core',
    title: 'Azure.Core (.NET)',
    // Azure.Identity calls under the name and version of Azure.Core where it probes.
    agent: /\bazsdk-net-Core\/(\S+)/i,
    advice: credential('Azure.Identity 1.9.0'),
  },
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

/** Stands for clients that send no User-Agent. */
export const NO_USER_AGENT: ClientLibrary = {
  id: 'none',
  title: 'without a User-Agent',
  advice: 'find out which process calls; ms-rest-azure and raw sockets send no User-Agent',
}

/** Stands for clients whose User-Agent is not in the table. */
export const UNKNOWN_LIBRARY: ClientLibrary = {
  id: 'other',
  title: 'another client',
  advice:
    'find out which process calls, and move it to an Azure SDK that supports workload identity',
}

/** Finds a library by its id in metrics; `UNKNOWN_LIBRARY` for an unknown id. */
export function findLibrary(id: string): ClientLibrary {
  return (
    [...CLIENT_LIBRARIES, NO_USER_AGENT].find((library) => library.id === id) ?? UNKNOWN_LIBRARY
  )
}
