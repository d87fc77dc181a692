/** The resources of the default directory. */
import { type ResourceInput, TOKEN_EXCHANGE } from './directory.ts'

/** Name, app id (from public lists) and identifiers; `*` stands for an account's name. */
const PUBLIC_CLOUD: readonly (readonly [name: string, appId: string, ...identifiers: string[]])[] =
  [
    ['Azure Key Vault', 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093', 'https://vault.azure.net'],
    ['Azure Managed HSM', '589d5083-6f11-4d30-a62a-a4b316a14abf', 'https://managedhsm.azure.net'],
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
    ['Azure Cache for Redis', 'acca5fbb-b7e4-4009-81f1-37e38fd66d78', 'https://redis.azure.com'],
    [
      'Azure Data Explorer',
      '2746ea77-4702-4b45-80ca-3c97e680e8b7',
      'https://kusto.kusto.windows.net',
      'https://*.kusto.windows.net',
    ],
    [
      'Azure Service Bus',
      '80a10ef9-8168-493d-abf9-3297c4ef6e3c',
      'https://servicebus.azure.net',
      'https://eventhubs.azure.net',
      'https://*.servicebus.windows.net',
    ],
    ['Azure Event Grid', '4962773b-9cdb-44cf-a8bf-237846a00ab7', 'https://eventgrid.azure.net'],
    [
      'Azure App Configuration',
      '35ffadb3-7fc1-497e-b61b-381d28e744cc',
      'https://azconfig.io',
      'https://appconfig.azure.com',
      'https://*.azconfig.io',
    ],
    [
      'Azure Container Registry',
      '6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26',
      'https://containerregistry.azure.net',
    ],
    ['Azure Kubernetes Service', '6dae42f8-4368-4678-94ff-3960e28e3630'],
    ['Azure Databricks', '2ff814a6-3304-4ab8-85cb-cd0e6f879c1d'],
    [
      'Azure Cognitive Services',
      '7d312290-28c8-473c-a0ed-8e53749b6d6d',
      'https://cognitiveservices.azure.com',
    ],
    [
      'Azure Machine Learning',
      '18a66f5f-dbdf-4c17-9dd7-1634712a9cbe',
      'https://ai.azure.com',
      'https://ml.azure.com',
    ],
    ['Azure AI Search', '880da380-985e-4198-81b9-e05b1cc53158', 'https://search.azure.com'],
    ['Azure Batch', 'ddbf3205-c6bd-46ae-8127-60eb93363864', 'https://batch.core.windows.net'],
    ['Azure Log Analytics', 'ca7f3f0b-7d91-482c-8e09-c5d840d0eac5', 'https://api.loganalytics.io'],
    [
      'Azure Monitor',
      'be14bf7e-8ab4-49b0-9dc6-a0eddd6fa73e',
      'https://monitor.azure.com',
      'https://prometheus.monitor.azure.com',
    ],
    ['Azure IoT Hub', '89d10474-74af-4874-99a7-c23c2f643083', 'https://iothubs.azure.net'],
    [
      'Snowflake',
      'fd3f753b-eed3-462c-b6a7-a4b5bb650aad',
      'api://fd3f753b-eed3-462c-b6a7-a4b5bb650aad',
    ],
    ['Azure DevOps', '499b84ac-1321-427f-aa17-267ca6975798'],
    ['Microsoft Graph', '00000003-0000-0000-c000-000000000000', 'https://graph.microsoft.com'],
    ['Azure AD Graph', '00000002-0000-0000-c000-000000000000', 'https://graph.windows.net'],
  ]

/** Common resources of the public cloud, and one custom API with version 2 tokens. */
export const KNOWN_RESOURCES: readonly ResourceInput[] = [
  ...PUBLIC_CLOUD.map(([name, appId, ...identifiers]) => ({ name, appId, identifiers })),
  {
    name: 'Azure AD Token Exchange Endpoint',
    appId: TOKEN_EXCHANGE.appId,
    identifiers: [TOKEN_EXCHANGE.uri],
    tokenVersion: 2,
  },
  {
    name: 'Orders API',
    appId: '77777777-7777-4777-8777-777777777777',
    identifiers: ['api://orders-api'],
    tokenVersion: 2,
  },
]
