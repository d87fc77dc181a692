import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { trust } from '../../../src/tools/trust/trust.ts'
import {
  AUDIENCE,
  BILLING,
  deployment,
  existingFor,
  INJECT,
  OPTED_OUT,
  ISSUER,
  ORDERS,
  ORDERS_ID,
  serviceAccount,
} from './fixtures.ts'
import { formatManagedIdentityId } from '../../../src/tools/managed-identity.ts'
import { runCommand } from '../capture.ts'
import { createFolder } from '../../fixtures/folder.ts'

const folder = createFolder()
const { path: directory, write: file } = folder
afterAll(() => folder[Symbol.dispose]())

const OBJECTS = [
  serviceAccount('orders', ORDERS),
  deployment('orders', 'orders', { annotations: INJECT }),
]
const manifests = file('manifests/all.yaml', OBJECTS.map((each) => stringify(each)).join('---\n'))
const identities = file('identities.json', [
  { clientId: ORDERS, id: formatManagedIdentityId(ORDERS_ID).toLowerCase() },
])
const SUBJECT = 'system:serviceaccount:shop:orders'

const run = (args: readonly string[], input?: string) =>
  runCommand(trust, ['--issuer', ISSUER, ...args], {}, input)

test('prints the credentials of the manifests of a directory', async () => {
  expect(await run(['--identities', identities, dirname(manifests)])).toEqual({
    code: 0,
    out: `Federated credentials for the issuer ${ISSUER}

managed identity orders, client id ${ORDERS}, resource group shop
  1 of 20 credentials; those that exist are not counted: pass --existing
  needed     system:serviceaccount:shop:orders
             wimds-shop-orders-2addfba4, for ServiceAccount shop/orders, Deployment shop/orders

Total (identities: 1): 1 needed
`,
    err: '',
  })
})

test('prints a document of what kubectl get -o json prints', async () => {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: OBJECTS })
  const document = async (...flags: readonly string[]) =>
    JSON.parse((await run([...flags, '-', '-o', 'json'], list)).out)
  const credential = {
    name: 'wimds-shop-orders-2addfba4',
    issuer: ISSUER,
    subject: SUBJECT,
    audience: AUDIENCE,
    state: 'unknown',
    sources: ['ServiceAccount shop/orders', 'Deployment shop/orders'],
  }
  const identity = { clientId: ORDERS, kind: 'managed-identity', count: 1, isOverLimit: false }
  const named = { ...identity, resourceId: formatManagedIdentityId(ORDERS_ID), isCompared: false }
  expect(await document('--identities', identities)).toMatchObject({
    schemaVersion: 1,
    issuer: ISSUER,
    limit: 20,
    identities: [{ ...named, credentials: [credential], extra: [] }],
    findings: [],
  })
  const audience = 'https://audience.example'
  const flags = ['--application', ORDERS.toUpperCase(), '--audience', audience]
  expect(await document(...flags)).toMatchObject({
    identities: [{ kind: 'application', credentials: [{ audience }] }],
  })
})

test('leaves identities whose names are not known out of the script', async () => {
  const named = await run(['--identities', identities, manifests, '-o', 'az'])
  expect(named).toMatchObject({ code: 0, err: '' })
  expect(named.out).toContain('az identity federated-credential create')
  const { code, out, err } = await run([manifests, '-o', 'az'])
  expect(code).toBe(1)
  expect(out).not.toContain(ORDERS)
  expect(err).toMatch(/1111: is left out of the script, .* Fix: pass --identities/)
})

describe('--check, with a directory of lists, one for each client id,', () => {
  const present = existingFor(SUBJECT, { name: 'by-hand' })
  const extra = existingFor('system:serviceaccount:shop:old')
  /** Has an expression. */
  const flexible = { ...extra, subject: null }

  test.each([
    ['succeeds', ORDERS, [present, extra, flexible], 0, '1 present, 1 extra', /^$/],
    ['fails for a missing credential', ORDERS, [], 1, '1 missing', /orders is missing\./],
    [
      'fails for another audience',
      ORDERS,
      [{ ...present, audiences: ['other'] }],
      1,
      '1 different',
      /orders is different\./,
    ],
    ['fails without a list of the identity', BILLING, [], 1, '1 needed', /orders is not known\./],
  ])('%s', async (title, clientId, credentials, exit, total, message) => {
    file(`${title}/${clientId}.json`, credentials)
    const args = ['--check', '--existing', join(directory, title), manifests]
    const { code, out, err } = await run(args)
    expect(code).toBe(exit)
    expect(out).toContain(`Total (identities: 1): ${total}\n`)
    expect(err).toMatch(message)
  })
})

test('prints findings on standard error, and exits with 1 if something is left out', async () => {
  const { spec } = deployment('web', 'nobody', { annotations: INJECT })
  const web = { apiVersion: 'ray.io/v1', kind: 'RayCluster', metadata: { name: 'web' }, spec }
  const flags = ['--namespace', 'shop', '--path', 'RayCluster.ray.io=spec.template']
  const { code, out, err } = await run([...flags, manifests, file('more.yaml', stringify(web))])
  expect(code).toBe(1)
  expect(err).toMatch(/^wimds trust: RayCluster shop\/web: uses .* Fix: add it to the input\n$/)
  expect(out).toContain(SUBJECT)
})

test('prints no credential for a namespace that claims the identity of another, until it is allowed', async () => {
  const path = file('evil.yaml', stringify(serviceAccount('attacker', ORDERS, 'evil')))
  expect(await run([manifests, path])).toMatchObject({ code: 1, out: '' })
  const one = await run([manifests, path, '--allow', `${ORDERS}=shop`])
  expect(one.code).toBe(0)
  expect(one.err).toMatch(/^wimds trust: warning: /)
  expect(one.out).toContain('Total (identities: 1): 1 needed\n')
  expect(one.out).not.toContain('evil')
  const both = await run([manifests, path, '--allow', `${ORDERS}=shop,evil`])
  expect(both).toMatchObject({ code: 0, err: '' })
  expect(both.out).toContain('system:serviceaccount:evil:attacker')
})

describe('says that nothing could be determined, and exits with 1, for', () => {
  const empty = join(directory, 'empty')
  mkdirSync(empty)

  test.each([
    ['a text', file('README.md', 'Orders of the shop\n'), 'input: nothing could be determined'],
    ['a text that is not YAML', file('bad.yaml', 'a: b: c\n'), 'bad.yaml:1:4: '],
    ['a directory without manifests', empty, 'empty: no file in this directory ends with .yaml'],
  ])('%s', async (_, path, message) => {
    const { code, out, err } = await run([path])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(message)
    expect(err.match(/^wimds trust: /gm)).toHaveLength(1)
  })
})

test.each<[string, readonly object[], number]>([
  ['fails an input of which', [], 1],
  ['warns if beside others', OBJECTS, 0],
])('--check %s a workload does not request injection', async (_, others, code) => {
  const list = file(`silent/${ORDERS}.json`, [existingFor(SUBJECT)])
  const objects = [deployment('web', 'web'), deployment('out', 'out', OPTED_OUT), ...others]
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const found = await run(['--check', '--existing', list, '-'], input)
  expect(found.code).toBe(code)
  expect(found.err).toContain('wimds trust: warning: input: no credential is listed for workloads')
  expect(found.err).toContain(': 1, such as Deployment shop/web. Fix: ')
  const planned = await run(['-o', 'json', '-'], input)
  expect(planned.code).toBe(0)
  expect(JSON.parse(planned.out)).toMatchObject({ findings: [{ severity: 'warning' }] })
})

test.each([
  ['a workload that opts out', deployment('out', 'out', OPTED_OUT)],
  ['a ServiceAccount without an identity', serviceAccount('plain', undefined)],
  ['a claim that --allow refuses', serviceAccount('orders', ORDERS)],
])('--check fails an input with nothing but %s', async (_, object) => {
  const compared = ['--existing', file(`none/${ORDERS}.json`, []), '--allow', `${ORDERS}=other`]
  const { code, err } = await run(['--check', ...compared, '-'], stringify(object))
  expect(code).toBe(1)
  expect(err).toContain('wimds trust: input: --check compared nothing')
})

test('says that no credential is needed by accounts without an identity', async () => {
  const { code, out, err } = await run(['-'], stringify(serviceAccount('plain', undefined)))
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain('None is needed by the input.\n')
})

test('prints nothing if an input cannot be read', async () => {
  const lists = ['--identities', file('not-a-list.json', [{ clientId: ORDERS, id: '/x' }])]
  const unnamed = file('list.json', [existingFor(SUBJECT)])
  const paths = [join(directory, 'missing.json'), unnamed, file(`lists/${ORDERS}.json`, [{}])]
  const existing = paths.flatMap((path) => ['--existing', path])
  const { code, out, err } = await run([...lists, ...existing, manifests])
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toContain('missing.json: no such file or directory')
  expect(err).toContain('not-a-list.json: is not the output of az identity list')
  expect(err).toContain(
    `${ORDERS}.json: is not the output of az identity federated-credential list`,
  )
  expect(err).toContain('list.json: does not say which identity')
})

test.each([
  ['no input', ['--issuer', ISSUER], 'give the path of a manifest'],
  ['no issuer', [manifests], '--issuer is required'],
  ['an internal issuer', ['--issuer', 'https://kubernetes.default.svc', manifests], 'oidc-issuer'],
  ['--check alone', ['--check', manifests], 'pass --existing'],
  ['a client id', ['--client-id', 'x'], '--client-id must be a GUID, not "x"'],
  ['an application', ['--application', 'x'], '--application must be a GUID, not "x"'],
  ['an audience', ['--audience', '@/etc/passwd'], '--audience'],
  ['a namespace', ['--allow', `${ORDERS}=a/b`], '--allow must be CLIENT_ID='],
  ['a format', ['-o', 'yaml'], '-o yaml: must be one of text, az'],
])('refuses %s', async (_, args, message) => {
  const { code, out, err } = await runCommand(trust, args)
  expect({ code, out }).toEqual({ code: 64, out: '' })
  expect(err).toContain(message)
})
