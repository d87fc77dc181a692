/**
 * The client libraries that call a metadata service, by the ids with which the sidecar counts them. Each has advice for the
 * migration, and the first version that supports workload identity without a sidecar.
 */

export interface ClientLibrary {
  /** Its name for people. */
  readonly title: string
  /** The first version that exchanges the projected token itself; undefined if no public source names it. */
  readonly workloadIdentitySince?: string
  /**
   * For a library that is a part of an SDK: the first version whose SDKs all support workload identity. An SDK with an earlier
   * version may support it too.
   */
  readonly provenSince?: string
  /** The change after which the workload no longer needs the sidecar. */
  readonly advice: string
}

const CREDENTIAL = 'use DefaultAzureCredential or WorkloadIdentityCredential'

// Source: learn.microsoft.com/azure/aks/workload-identity-overview, table of minimum versions
const sdk = (title: string, workloadIdentitySince: string): ClientLibrary => {
  return { title, workloadIdentitySince, advice: CREDENTIAL }
}

// Source: the same page: MSAL needs code that passes the projected token
const msal = (title: string, replacement: string): ClientLibrary => {
  const advice = `pass the projected token as a client assertion, or ${CREDENTIAL} of ${replacement} or later`
  return { title, advice }
}

/** Creates the entry of an HTTP client, which does not say which library calls. */
const generic = (title: string, callers: string): ClientLibrary => {
  const advice = `find out which library calls (${callers}), and move it to an Azure SDK that supports workload identity`
  return { title, advice }
}

const UNKNOWN_ADVICE =
  'find out which process calls, and move it to an Azure SDK that supports workload identity'

/** Libraries and programs that send the User-Agent of their HTTP client, and none of their own. */
const WITHOUT_NAME = {
  // Source: learn.microsoft.com/sql/connect/ado-net/sql/azure-active-directory-authentication
  sqlClient: {
    title: 'Microsoft.Data.SqlClient (.NET)',
    workloadIdentitySince: '5.2',
    advice:
      'write Authentication=Active Directory Workload Identity or Active Directory Default in the connection string',
  },
  abfs: {
    title: 'ABFS of Hadoop (Java)',
    workloadIdentitySince: '3.4.1',
    advice: 'use WorkloadIdentityTokenProvider (HADOOP-18610)',
  },
  azurerm: {
    title: 'azurerm (Terraform)',
    workloadIdentitySince: '3.85.0',
    advice: 'set use_aks_workload_identity',
  },
} satisfies Record<string, ClientLibrary>

// Source: nuget.org/packages/Microsoft.Azure.Services.AppAuthentication, which is deprecated in favour of Azure.Identity
const APP_AUTHENTICATION: ClientLibrary = {
  title: 'Microsoft.Azure.Services.AppAuthentication (.NET)',
  advice: `it is retired; ${CREDENTIAL} of Azure.Identity 1.9.0 or later`,
}

/** Formats the advice for one of several libraries that may call. */
const forOne = ({
  title,
  workloadIdentitySince,
  advice,
}: Required<Omit<ClientLibrary, 'provenSince'>>): string =>
  `for ${title} ${workloadIdentitySince} or later ${advice}`

const SQL_CLIENT = forOne(WITHOUT_NAME.sqlClient)

/** SDKs that the User-Agent names. */
const SDKS: Readonly<Record<string, ClientLibrary>> = {
  'python-azure-identity': sdk('azure-identity (Python)', '1.13.0'),
  'js-azure-identity': sdk('@azure/identity (JavaScript)', '3.2.0'),
  'go-azidentity': sdk('azidentity (Go)', '1.3.0'),
  'dotnet-azure-identity': {
    title: 'Azure.Identity (.NET)',
    workloadIdentitySince: '1.9.0',
    advice: `${CREDENTIAL}; ${SQL_CLIENT}`,
  },
  'java-azure-identity': sdk('azure-identity (Java)', '1.9.0'),
  'cpp-azure-identity': sdk('azure-identity-cpp (C++)', '1.6.0'),
  'rust-azure-identity': {
    // Source: docs.rs/crate/azure_identity/1.0.0: src/workload_identity_credential.rs
    title: 'azure_identity (Rust)',
    workloadIdentitySince: '1.0.0',
    advice: 'use WorkloadIdentityCredential',
  },
  'python-msal': msal('MSAL for Python', 'azure-identity 1.13.0'),
  'js-msal': msal('MSAL for Node.js', '@azure/identity 3.2.0'),
  'go-msal': msal('MSAL for Go', 'azidentity 1.3.0'),
  'java-msal': msal('MSAL for Java', 'azure-identity 1.9.0'),
  'dotnet-msal': msal('MSAL.NET', 'Azure.Identity 1.9.0'),
  'python-msrestazure': {
    title: 'msrestazure (Python)',
    advice: `it is retired; ${CREDENTIAL} of azure-identity 1.13.0 or later; for the Azure CLI az login --service-principal --federated-token`,
  },
  // Source: go-autorest/autorest/adal/version.go (User-Agent); the AKS page above
  'go-autorest': {
    title: 'go-autorest/adal (Go)',
    advice: `it is retired; ${CREDENTIAL} of azidentity 1.3.0 or later`,
  },
  // Source: docs.rs/object_store: azure::AzureConfigKey::FederatedTokenFile; the first version is unknown
  'rust-object-store': {
    title: 'object_store (Rust, of delta-rs)',
    advice:
      'set AZURE_FEDERATED_TOKEN_FILE, AZURE_CLIENT_ID and AZURE_TENANT_ID, which it reads itself',
  },
  // Source: rclone's changelog of 1.63.0, "Support azure workload identities", and its go.mod: azidentity 1.3.0
  rclone: {
    title: 'rclone',
    workloadIdentitySince: '1.63.0',
    advice: 'set env_auth instead of use_msi',
  },
}

const LIBRARIES: Readonly<Record<string, ClientLibrary>> = {
  ...SDKS,
  // Azure.Core has had the credentials since 1.53. An earlier version does not call under its own name.
  'dotnet-azure-core': {
    title: 'Azure.Core (.NET)',
    provenSince: '1.53.0',
    advice: `${CREDENTIAL} of Azure.Identity 1.9.0 or later (the version of an Azure.Core before 1.53.0 does not tell the version of Azure.Identity); ${SQL_CLIENT}`,
  },
  'python-requests': generic('Python requests', 'a script or an older SDK'),
  'java-http': generic(
    'Java HTTP client',
    `Hadoop’s ABFS and azure-identity from before MSAL call like this; ${forOne(WITHOUT_NAME.abfs)}`,
  ),
  'go-http': generic(
    'Go HTTP client',
    `go-azure-sdk calls like this; ${forOne(WITHOUT_NAME.azurerm)}`,
  ),
  'node-http': generic('Node.js HTTP client', 'a script or an older SDK'),
  curl: generic('curl', 'a script'),
  wget: generic('Wget', 'a script'),
  none: {
    title: 'without a User-Agent',
    advice: `find out which process calls: MSAL.NET to 4.83, AppAuthentication, Microsoft.Data.SqlClient 2, MongoDB.Driver, Confluent.SchemaRegistry, HttpClient of .NET, ms-rest-azure and raw sockets send no User-Agent; ${SQL_CLIENT}`,
  },
  other: { title: 'another client', advice: UNKNOWN_ADVICE },
}

/** All SDKs and programs. Those that support workload identity from a known version on come first. */
export const MINIMUM_VERSIONS: readonly ClientLibrary[] = [
  ...Object.values(SDKS),
  ...Object.values(WITHOUT_NAME),
  APP_AUTHENTICATION,
].toSorted((a, b) => Number(!a.workloadIdentitySince) - Number(!b.workloadIdentitySince))

/** Finds a library by its id in metrics. A sidecar of another version may know other ids. */
export function findLibrary(id: string): ClientLibrary {
  return LIBRARIES[id] ?? { title: id, advice: UNKNOWN_ADVICE }
}

/**
 * Returns true if this version can use workload identity without a sidecar: such a client calls the IMDS because of its
 * configuration. Returns undefined if the first such version is unknown, or `version` is malformed.
 */
export function supportsWorkloadIdentity(
  { workloadIdentitySince, provenSince }: ClientLibrary,
  version: string,
): boolean | undefined {
  const [numbers] = /^\d+(?:\.\d+)*/.exec(version) ?? []
  const since = workloadIdentitySince ?? provenSince
  if (since === undefined || numbers === undefined) return undefined
  // `1.13` is 1.13.0.
  if (NUMERIC.compare(`${numbers}.0.0`, since) >= 0) return true
  return workloadIdentitySince === undefined ? undefined : false
}

const NUMERIC = new Intl.Collator('en', { numeric: true })
