/** The identity of pods whose gate names none, from an API server that a test controls. */
import { expect, test } from 'vitest'
import { connectToApiServer } from '../../../src/kubernetes/api-client.ts'
import { createSettingsReader } from '../../../src/node/agent/find-identity.ts'
import { parseRoutedPod } from '../../../src/node/agent/routed-pod.ts'
import { answer, startApiServer } from '../../fixtures/api-server.ts'
import { nodeModePod } from './pods.ts'

const ACCOUNT = 'GET /api/v1/namespaces/shop/serviceaccounts/orders'
const CLIENT_ID = '11111111-1111-4111-8111-111111111111'
const TENANT_ID = '22222222-2222-4222-8222-222222222222'
const annotate = (clientId: string, tenantId?: string) => ({
  'azure.workload.identity/client-id': clientId,
  ...(tenantId !== undefined && { 'azure.workload.identity/tenant-id': tenantId }),
})

/** Returns the settings of a pod whose account has these annotations; a number is a failure of the API server. */
async function findSettings(
  account: object | number,
  env: readonly object[] = [],
  defaultTenantId?: string,
) {
  await using _ = await startApiServer({
    [ACCOUNT]: (response) =>
      typeof account === 'number'
        ? answer(response, account, {})
        : answer(response, 200, { metadata: { annotations: account } }),
  })
  const pod = parseRoutedPod(nodeModePod({ env }))
  if (pod === undefined) throw new Error('not a pod of mode node')
  const options = { api: connectToApiServer(AbortSignal.timeout(60_000)), defaultTenantId }
  return await createSettingsReader({ ...options, saved: { find: () => undefined } })(pod)
}

test('the account gives both ids, and the gate takes precedence', async () => {
  const env = [{ name: 'AZURE_CLIENT_ID', value: TENANT_ID }]
  const own = await findSettings(annotate(CLIENT_ID, TENANT_ID), env)
  expect(own).toMatchObject({ AZURE_CLIENT_ID: TENANT_ID, AZURE_TENANT_ID: TENANT_ID })
})

test('an account without a tenant has the default tenant', async () => {
  const settings = await findSettings({}, [], 'contoso.com')
  expect(settings).toEqual({ WIMDS_LISTEN: '127.0.0.1:64169', AZURE_TENANT_ID: 'contoso.com' })
  const named = await findSettings(annotate(CLIENT_ID, TENANT_ID), [], 'contoso.com')
  expect(named).toMatchObject({ AZURE_TENANT_ID: TENANT_ID })
})

test.each([
  [annotate(CLIENT_ID), 'no tenant id. Fix: annotate the ServiceAccount shop/orders with azure.'],
  [404, 'the ServiceAccount shop/orders does not exist. Fix: create it'],
  [403, 'the API server answered 403. Fix: create the pod again, or set injection.by=policy'],
  [500, /the API server answered 500$/],
  [
    annotate('orders', TENANT_ID),
    'the annotation azure.workload.identity/client-id of the ServiceAccount shop/orders must be',
  ],
])('an account with %j has no identity', async (account, message) => {
  await expect(findSettings(account)).rejects.toThrow(message)
})
