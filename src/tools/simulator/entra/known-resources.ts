/** The resources that every tenant knows, besides those of the directory. */

/** Name, app id (from public lists) and identifiers; `*` stands for an account's name. */
const PUBLIC_CLOUD: readonly (readonly [name: string, appId: string, ...identifiers: string[]])[] =
  [
    ['Azure Key Vault', 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093', 'https://vault.azure.net'],
    [
      'Azure Resource Manager',
      '797f4846-ba00-4fd7-ba43-dac1f8f63013',
      'https://management.azure.com',
      'https://management.core.windows.net',
    ],
    [
      'Azure Storage',
      'e406a681-f3d4-42a8-90b6-c2b029497af1',
      'https://storage.azure.com',
      'https://*.blob.core.windows.net',
      'https://*.queue.core.windows.net',
      'https://*.table.core.windows.net',
      'https://*.file.core.windows.net',
      'https://*.dfs.core.windows.net',
    ],
    ['Azure SQL Database', '022907d3-0f1b-48f7-badc-1ba6abab6d66', 'https://database.windows.net'],
    [
      'Azure Database for PostgreSQL and MySQL',
      '123cd850-d9df-40bd-94d5-c9f07b7fa203',
      'https://ossrdbms-aad.database.windows.net',
    ],
    [
      'Azure Cosmos DB',
      'a232010e-820c-4083-83bb-3ace5fc29d0b',
      'https://cosmos.azure.com',
      'https://*.documents.azure.com',
    ],
    [
      'Azure Service Bus',
      '80a10ef9-8168-493d-abf9-3297c4ef6e3c',
      'https://servicebus.azure.net',
      'https://eventhubs.azure.net',
      'https://*.servicebus.windows.net',
    ],
    ['Azure Kubernetes Service', '6dae42f8-4368-4678-94ff-3960e28e3630'],
    ['Microsoft Graph', '00000003-0000-0000-c000-000000000000', 'https://graph.microsoft.com'],
  ]

/** Resources of the public cloud, and one custom API with version 2 tokens. */
export const KNOWN_RESOURCES = [
  ...PUBLIC_CLOUD.map(([, appId, ...identifiers]) => ({
    appId,
    identifiers,
    tokenVersion: 1 as const,
  })),
  {
    appId: '77777777-7777-4777-8777-777777777777',
    identifiers: ['api://orders-api'],
    tokenVersion: 2 as const,
  },
]
