/** The .NET clients: a driver for each set of packages, which are built together. */
import type { ModeName } from '../harness/modes.ts'
import { type Client, createPair, IMDS_MODES, STORAGE } from './client.ts'
import { driverPath } from './workspaces.ts'

const DATABASE = 'https://database.windows.net/'
const POSTGRES = 'https://ossrdbms-aad.database.windows.net'

/** Returns what all clients of a set share. */
const inSet = (name: string) =>
  ({
    language: '.NET',
    workspace: 'dotnet',
    command: (workspace: string) =>
      [`${workspace}/dotnet`, `${workspace}/${name}/driver.dll`] as const,
  }) as const

/** Returns the modes of Azure.Identity and MSAL, except the modes that a client lacks. */
function allBut(...missing: readonly ModeName[]): readonly ModeName[] {
  const all: readonly ModeName[] = [
    ...IMDS_MODES,
    'host-override',
    'app-service-2019',
    'app-service-2017',
    'cloud-shell',
  ]
  return all.filter((mode) => !missing.includes(mode))
}

/** Later versions of MSAL take MSI_SECRET as a sign of Azure Machine Learning. Azure.Identity uses MSAL since 1.15. */
const LATER = 'app-service-2017'
/** DefaultAzureCredential probes 169.254.169.254 since 1.11, whatever the variable says. */
const PROBED = 'host-override'

const createIdentity = (
  set: string,
  version: string,
  managed: readonly ModeName[],
  ...missing: readonly ModeName[]
): readonly Client[] =>
  createPair(
    { ...inSet(set), name: 'Azure.Identity', version, asksAgain: true },
    managed,
    allBut('object-id', ...missing),
  )

const createMsal = (set: string, version: string, modes: readonly ModeName[]): Client => ({
  ...inSet(set),
  name: 'Microsoft.Identity.Client ManagedIdentityApplication',
  version,
  variant: 'msal',
  asksAgain: true,
  modes,
})

/** A client of an Azure server, which gets the token. */
const createService = (
  set: string,
  name: string,
  version: string,
  parts: Pick<Client, 'variant' | 'resource' | 'asksAgain' | 'modes'>,
): Client => ({ ...inSet(set), name, version, ...parts })

const createSql = (
  set: string,
  [name, version]: readonly [string, string],
  variant: string,
  { managed, byDefault }: Readonly<Record<'managed' | 'byDefault', readonly ModeName[]>>,
): readonly Client[] =>
  [
    { authentication: 'Managed Identity', variant, modes: managed },
    { authentication: 'Default', variant: `${variant}-default`, modes: byDefault },
  ]
    .filter(({ modes }) => modes.length > 0)
    .map(({ authentication, ...parts }) =>
      createService(set, `${name} Active Directory ${authentication}`, version, {
        resource: DATABASE,
        ...parts,
      }),
    )

const SQL = 'Microsoft.Data.SqlClient'
const ENTITY_FRAMEWORK = 'Microsoft.EntityFrameworkCore.SqlServer'
/** SqlClient 2 requests tokens by its own code, with `User Id` as object id. */
const SQL_2 = { managed: ['system', 'object-id', 'app-service-2019'], byDefault: [] } as const
/** SqlClient 5 uses Azure.Identity, with `User Id` as client id. */
const SQL_5 = {
  managed: allBut('object-id', 'resource-id'),
  byDefault: allBut('object-id', 'resource-id', PROBED),
} as const
const SQL_6 = {
  managed: allBut('object-id', 'resource-id', LATER),
  byDefault: allBut('object-id', 'resource-id', PROBED, LATER),
} as const

const createServices = (
  set: string,
  [vault, blobs]: readonly [string, string],
  modes: readonly ModeName[],
): readonly Client[] => [
  createService(set, 'Azure.Security.KeyVault.Secrets', vault, {
    variant: 'key-vault',
    asksAgain: true,
    modes,
  }),
  createService(set, 'Azure.Storage.Blobs', blobs, {
    variant: 'blobs',
    resource: STORAGE,
    asksAgain: true,
    modes,
  }),
]

export const DOTNET_CLIENTS: readonly Client[] = [
  ...createIdentity('2023', '1.9.0', allBut('object-id')),
  ...createIdentity('2024', '1.11.4', allBut('object-id'), PROBED),
  ...createIdentity('2025a', '1.14.2', allBut(), PROBED),
  ...createIdentity('2025b', '1.17.2', allBut(LATER), PROBED, LATER),
  ...createIdentity('2026a', '1.21.0 (Azure.Core 1.53.0)', allBut(LATER), PROBED, LATER),
  ...createIdentity('2026b', '1.21.0 (Azure.Core 1.62.0)', allBut(LATER), PROBED, LATER),
  ...createIdentity('2026', '1.21.0 (Azure.Core 1.64.0)', allBut(LATER), PROBED, LATER),
  createMsal('2023', '4.55.0', allBut()),
  createMsal('2024', '4.65.0', allBut()),
  createMsal('2026', '4.92.0', allBut(LATER)),
  ...createSql('2023', [SQL, '2.1.4'], 'sql', SQL_2),
  ...createSql('2024', [SQL, '5.2.2'], 'sql', SQL_5),
  ...createSql('2025b', [SQL, '6.1.8'], 'sql', SQL_6),
  createService('2026', `${SQL} AccessTokenCallback`, '7.1.1', {
    variant: 'sql-callback',
    resource: DATABASE,
    modes: allBut(LATER),
  }),
  ...createSql('efcore6', [ENTITY_FRAMEWORK, '6.0.0'], 'entity-framework', SQL_2),
  ...createSql('efcore8', [ENTITY_FRAMEWORK, '8.0.34'], 'entity-framework', SQL_5),
  ...createServices('2023', ['4.2.0', '12.6.0'], allBut('object-id')),
  ...createServices('2026', ['4.12.0', '12.30.1'], allBut('object-id', PROBED, LATER)),
  createService('field', 'Microsoft.Extensions.Azure credential=managedidentity', '1.14.1', {
    variant: 'extensions-azure',
    resource: STORAGE,
    asksAgain: true,
    modes: allBut(LATER),
  }),
  createService('field', 'Npgsql UsePasswordProvider', '10.0.3', {
    variant: 'npgsql',
    resource: POSTGRES,
    modes: ['system', 'client-id', 'host-override', 'app-service-2019', 'cloud-shell'],
  }),
  {
    ...inSet('field'),
    name: 'MongoDB.Driver ENVIRONMENT:azure',
    version: '3.14.0',
    variant: 'mongodb',
    modes: ['system', 'client-id'],
  },
  {
    ...inSet('2023'),
    name: "HttpWebRequest, as in Microsoft's documentation",
    version: '',
    variant: 'http-web-request',
    modes: ['system'],
  },
  {
    language: '.NET',
    name: 'Azure.Identity in the Azure MCP server',
    version: '3.0.0-beta.46',
    workspace: 'dotnet-mcp',
    command: (workspace) => [
      driverPath('shell/azure-mcp.sh'),
      `${workspace}/node_modules/@azure/mcp-linux-x64/dist/azmcp`,
    ],
    resource: 'https://management.azure.com/',
    modes: ['system', 'client-id', 'host-override', 'app-service-2019', 'cloud-shell'],
  },
]
