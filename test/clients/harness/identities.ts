/** The two identities that every client is tried with, as Entra and as the sidecar know them. */
import { KNOWN_RESOURCES } from '../../../src/simulator/entra/known-resources.ts'
import type { DirectoryInput } from '../../../src/simulator/entra/directory.ts'

export interface TestIdentity {
  readonly name: string
  readonly clientId: string
  readonly objectId: string
  readonly resourceId: string
}

export const TENANT_ID = '22222222-2222-4222-8222-222222222222'

/** What a client gets that names no identity. */
export const DEFAULT_IDENTITY: TestIdentity = {
  name: 'orders',
  clientId: '11111111-1111-4111-8111-111111111111',
  objectId: '33333333-3333-4333-8333-333333333333',
  resourceId: armId('orders'),
}

/** What a client gets that names an identity, so that its id cannot have been overlooked. */
export const NAMED_IDENTITY: TestIdentity = {
  name: 'invoices',
  clientId: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
  objectId: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb',
  resourceId: armId('invoices'),
}

/** Both identities trust the service account that the simulated pod runs as. */
export const directoryOf = (issuer: string): DirectoryInput => ({
  tenants: [{ id: TENANT_ID }],
  applications: [DEFAULT_IDENTITY, NAMED_IDENTITY].map(({ name, clientId, objectId }) => ({
    name,
    clientId,
    objectId,
    tenantId: TENANT_ID,
    federatedCredentials: [{ issuer, subject: 'system:serviceaccount:shop:orders' }],
  })),
  resources: [...KNOWN_RESOURCES],
})

/** The identities file; JSON is YAML. */
export const identitiesFile = (): string =>
  JSON.stringify({
    identities: [{ ...DEFAULT_IDENTITY, default: true }, NAMED_IDENTITY],
  })

function armId(name: string): string {
  const group = '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/shop'
  return `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
}
