import { describe, expect, test } from 'vitest'
import { inject } from '../../../../src/tools/inject/inject.ts'
import { createFolder } from '../../../fixtures/folder.ts'
import { runCommand } from '../../capture.ts'

const DEV = '11111111-1111-4111-8111-111111111111'
const PROD = '33333333-3333-4333-8333-333333333333'
const TENANT = '22222222-2222-4222-8222-222222222222'

const account = (clientId: string, tenantId = TENANT) => `apiVersion: v1
kind: ServiceAccount
metadata:
  name: orders
  namespace: shop
  annotations: {azure.workload.identity/client-id: ${clientId}, azure.workload.identity/tenant-id: ${tenantId}}
`

const deployment = (name = 'orders') => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec: {template: {spec: {serviceAccountName: orders, containers: [{name: app, image: 'orders:1'}]}}}
`

const join = (...objects: readonly string[]) => objects.join('---\n')

/** Injects the files, by their paths, as one directory. Returns the client id in each result, in the order of the paths. */
async function injectTree(files: Readonly<Record<string, string>>, ...flags: readonly string[]) {
  using folder = createFolder()
  for (const [name, source] of Object.entries(files)) folder.write(name, source)
  const { code, out, err } = await runCommand(inject, [
    '-q',
    '--image-registry=a.test',
    ...flags,
    folder.path,
  ])
  const ids = [...out.matchAll(/AZURE_CLIENT_ID\W+value\W+([\w-]+)/g)].map(([, id]) => id)
  return { code, ids, err: err.replaceAll(`${folder.path}/`, '') }
}

const REJECTED = { code: 1, ids: [] }
/** The problem of two ServiceAccounts that differ, at these places. */
const differing = (first: string, second: string) =>
  `the ServiceAccount shop/orders names several identities: ${first}, ${second}. Fix: `

describe('a workload gets the identity of the ServiceAccount', () => {
  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    [
      'of its own folder',
      {
        'env/dev/account.yaml': account(DEV),
        'env/dev/orders.yaml': deployment(),
        'env/prod/account.yaml': account(PROD),
        'env/prod/orders.yaml': deployment(),
      },
      [DEV, PROD],
    ],
    [
      'of its own file',
      {
        'dev.yaml': join(account(DEV), deployment()),
        'prod.yaml': join(deployment(), account(PROD)),
      },
      [DEV, PROD],
    ],
    [
      'of the nearest folder above it',
      {
        'account.yaml': account(DEV),
        'prod/account.yaml': account(PROD),
        'prod/apps/orders.yaml': deployment(),
        'test/apps/orders.yaml': deployment(),
      },
      [PROD, DEV],
    ],
    [
      'of any other folder, if it is the only one',
      { 'accounts/orders.yaml': account(DEV), 'apps/orders.yaml': deployment() },
      [DEV],
    ],
    [
      'of several files that say the same',
      {
        'a/account.yaml': account(DEV),
        'b/account.yaml': join(account(DEV), account(DEV.toUpperCase())),
        'c/orders.yaml': deployment(),
      },
      [DEV],
    ],
  ])('%s', async (_, files, ids) => {
    expect(await injectTree(files)).toEqual({ code: 0, ids, err: '' })
  })
})

describe('a workload is rejected', () => {
  test.each<[string, Readonly<Record<string, string>>, string]>([
    [
      'if the ServiceAccounts of its folder differ',
      {
        'dev-account.yaml': account(DEV),
        'orders.yaml': deployment(),
        'prod-account.yaml': account(PROD),
      },
      `orders.yaml:1: Deployment/orders: ${differing('dev-account.yaml:1', 'prod-account.yaml:1')}`,
    ],
    [
      'if the ServiceAccounts of its file differ in the tenant',
      { 'orders.yaml': join(account(DEV), deployment(), account(DEV, PROD)) },
      `orders.yaml:8: Deployment/orders: ${differing('orders.yaml:1', 'orders.yaml:13')}`,
    ],
    [
      'in the base of a kustomization whose overlays differ',
      {
        'base/kustomization.yaml': 'resources: [orders.yaml]\n',
        'base/orders.yaml': deployment(),
        'overlays/dev/account.yaml': account(DEV),
        'overlays/prod/account.yaml': account(PROD),
      },
      `base/orders.yaml:1: Deployment/orders: ${differing('overlays/dev/account.yaml:1', 'overlays/prod/account.yaml:1')}`,
    ],
    [
      'if its ServiceAccount may belong to another environment',
      {
        'env/dev/account.yaml': account(DEV),
        'env/dev/orders.yaml': deployment(),
        'env/prod/orders.yaml': deployment(),
      },
      'env/prod/orders.yaml:1: Deployment/orders: the ServiceAccount shop/orders of env/dev/account.yaml:1 seems to belong to the same Deployment in env/dev/orders.yaml:1. Fix: ',
    ],
  ])('%s', async (_, files, message) => {
    const result = await injectTree(files)
    expect(result).toMatchObject(REJECTED)
    expect(result.err).toContain(`wimds inject: ${message}`)
    expect(result.err.match(/Deployment\/orders/g)).toHaveLength(1)
  })
})

test('an identity that is given by flags needs no ServiceAccount', async () => {
  const files = {
    'orders.yaml': join(account(DEV), deployment(), account(PROD)),
    'other.yaml': deployment('other'),
  }
  expect(await injectTree(files, '--client-id', PROD)).toEqual({
    code: 0,
    ids: [PROD, PROD],
    err: '',
  })
  expect(await injectTree(files, '--tenant-id', TENANT)).toMatchObject(REJECTED)
})
