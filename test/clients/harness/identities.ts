/** The two identities of the matrix, in the directory of Entra ID and in the identities file. */
import type { DirectoryInput } from '../../../src/tools/simulator/entra/directory.ts'

export interface TestIdentity {
  readonly name: string
  readonly clientId: string
  readonly objectId: string
  readonly resourceId: string
}

export const TENANT_ID = '22222222-2222-4222-8222-222222222222'

/** Selected by a request without an identity. */
export const DEFAULT_IDENTITY: TestIdentity = {
  name: 'orders',
  clientId: '11111111-1111-4111-8111-111111111111',
  objectId: '33333333-3333-4333-8333-333333333333',
  resourceId: formatResourceId('orders'),
}

/** Selected by a request with an identity, so that an ignored selector fails the row. */
export const NAMED_IDENTITY: TestIdentity = {
  name: 'invoices',
  clientId: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
  objectId: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb',
  resourceId: formatResourceId('invoices'),
}

/** A directory in which both identities have a federated credential for the simulated pod. */
export const DIRECTORY: DirectoryInput = {
  tenants: [{ id: TENANT_ID }],
  applications: [DEFAULT_IDENTITY, NAMED_IDENTITY].map(({ name, clientId, objectId }) => ({
    name,
    clientId,
    objectId,
    federatedCredentials: [{ subject: 'system:serviceaccount:shop:orders' }],
  })),
}

/** Formats the identities file, as JSON, which is YAML. */
export const formatIdentitiesFile = (): string =>
  JSON.stringify({
    identities: [{ ...DEFAULT_IDENTITY, default: true }, NAMED_IDENTITY],
  })

function formatResourceId(name: string): string {
  const group = '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/shop'
  return `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
}
