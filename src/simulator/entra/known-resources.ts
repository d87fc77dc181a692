/** The resources of the default directory. */
import type { ResourceInput } from './directory.ts'

/** Resources of the public cloud with their real app ids, and one custom API with version 2 tokens. */
export const KNOWN_RESOURCES: readonly ResourceInput[] = [
  {
    name: 'Azure Key Vault',
    appId: 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093',
    identifiers: ['https://vault.azure.net'],
  },
  {
    name: 'Azure Resource Manager',
    appId: '797f4846-ba00-4fd7-ba43-dac1f8f63013',
    identifiers: ['https://management.azure.com', 'https://management.core.windows.net'],
  },
  {
    name: 'Azure Storage',
    appId: 'e406a681-f3d4-42a8-90b6-c2b029497af1',
    identifiers: ['https://storage.azure.com'],
  },
  {
    name: 'Azure SQL Database',
    appId: '022907d3-0f1b-48f7-badc-1ba6abab6d66',
    identifiers: ['https://database.windows.net'],
  },
  {
    name: 'Azure Service Bus',
    appId: '80a10ef9-8168-493d-abf9-3297c4ef6e3c',
    identifiers: ['https://servicebus.azure.net', 'https://eventhubs.azure.net'],
  },
  {
    name: 'Azure Cognitive Services',
    appId: '7d312290-28c8-473c-a0ed-8e53749b6d6d',
    identifiers: ['https://cognitiveservices.azure.com'],
  },
  {
    name: 'Microsoft Graph',
    appId: '00000003-0000-0000-c000-000000000000',
    identifiers: ['https://graph.microsoft.com'],
  },
  {
    name: 'Orders API',
    appId: '77777777-7777-4777-8777-777777777777',
    identifiers: ['api://orders-api'],
    tokenVersion: 2,
  },
]
