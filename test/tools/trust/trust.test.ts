import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { trust } from '../../../src/tools/trust/trust.ts'
import {
  AUDIENCE,
  BILLING,
  deployment,
  INJECT,
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

const run = (args: readonly string[], input?: string) => runCommand(trust, args, {}, input)

const json = async (...args: readonly string[]) => {
  const result = await run([...args, '-o', 'json'])
  return { ...result, document: JSON.parse(result.out || 'null') }
}

const OBJECTS = [
  serviceAccount('orders', ORDERS),
  deployment('orders', 'orders', { annotations: INJECT }),
]
const manifests = file('manifests/all.yaml', OBJECTS.map((each) => stringify(each)).join('---\n'))
const identities = file('identities.json', [
  { clientId: ORDERS, id: formatManagedIdentityId(ORDERS_ID).toLowerCase() },
])
const BASE = ['--issuer', ISSUER]

test('prints the credentials of the manifests of a directory', async () => {
  expect(await run([...BASE, '--identities', identities, dirname(manifests)])).toEqual({
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

test('reads kubectl get -o json from standard input', async () => {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: OBJECTS })
  const { code, out } = await run([...BASE, '-'], list)
  expect(code).toBe(0)
  expect(out).toContain('system:serviceaccount:shop:orders')
})

test('prints a document with a schemaVersion', async () => {
  const { document } = await json(...BASE, '--identities', identities, manifests)
  expect(document).toMatchObject({
    schemaVersion: 1,
    issuer: ISSUER,
    limit: 20,
    identities: [
      {
        clientId: ORDERS,
        kind: 'managed-identity',
        resourceId: formatManagedIdentityId(ORDERS_ID),
        count: 1,
        credentials: [
          {
            name: 'wimds-shop-orders-2addfba4',
            audience: AUDIENCE,
            state: 'unknown',
            sources: ['ServiceAccount shop/orders', 'Deployment shop/orders'],
          },
        ],
        extra: [],
      },
    ],
    findings: [],
  })
})

test('prints -o az', async () => {
  const { code, out, err } = await run([...BASE, '--identities', identities, manifests, '-o', 'az'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain('az identity federated-credential create')
})

test('leaves identities whose names are not known out of the script', async () => {
  const { code, out, err } = await run([...BASE, manifests, '-o', 'az'])
  expect(code).toBe(1)
  expect(out).not.toContain(ORDERS)
  expect(err).toMatch(/1111: is left out of the script, .* Fix: pass --identities/)
})

describe('the issuer', () => {
  test.each([
    ['missing', [], '--issuer is required'],
    ['internal', ['--issuer', 'https://kubernetes.default.svc'], 'enable-oidc-issuer'],
    ['a file', ['--issuer', manifests], 'must be an https:// URL'],
  ])('is %s: refused', async (_, flags, message) => {
    const { code, err } = await run([...flags, manifests])
    expect(code).toBe(64)
    expect(err).toContain(message)
  })
})

function check(list: string, credentials: object) {
  file(`${list}/${ORDERS}.json`, credentials)
  return run([...BASE, '--check', '--existing', join(directory, list), manifests])
}

describe('--check, with a directory of lists, one for each client id,', () => {
  const subject = 'system:serviceaccount:shop:orders'
  const present = { name: 'by-hand', issuer: ISSUER, subject, audiences: [AUDIENCE] }
  const extra = { ...present, name: 'old', subject: 'system:serviceaccount:shop:old' }

  test.each([
    ['succeeds', [present, extra], 0, '1 present, 1 extra', /^$/],
    [
      'fails for a missing credential',
      [],
      1,
      '1 missing',
      /: has no federated credential for \S+\. Fix: create it, such as by the output of -o az\n/,
    ],
    [
      'fails for another audience',
      [{ ...present, audiences: ['other'] }],
      1,
      '1 different',
      /: has another issuer or audience in its federated credential for \S+:orders/,
    ],
  ])('%s', async (title, credentials, exit, total, message) => {
    const { code, out, err } = await check(title, credentials)
    expect(code).toBe(exit)
    expect(out).toContain(`Total (identities: 1): ${total}`)
    expect(err).toMatch(message)
  })

  test('fails for an identity whose credentials are not listed', async () => {
    file(`check-unknown/${BILLING}.json`, [])
    const existing = join(directory, 'check-unknown')
    const { code, document } = await json(...BASE, '--check', '--existing', existing, manifests)
    expect(code).toBe(1)
    expect(document.findings.at(-1)).toMatchObject({
      severity: 'error',
      object: ORDERS,
      message: expect.stringContaining('is not in --existing'),
    })
  })

  test('requires the list of what exists', async () => {
    const { code, err } = await run([...BASE, '--check', manifests])
    expect(code).toBe(64)
    expect(err).toContain('pass --existing')
  })
})

const audience = async (...flags: readonly string[]) =>
  (await json(...BASE, ...flags, manifests)).document.identities[0].credentials[0].audience

test('takes the audience of the public cloud, or the one that is given', async () => {
  expect(await audience()).toBe('api://AzureADTokenExchange')
  expect(await audience('--audience', 'https://audience.example')).toBe('https://audience.example')
})

test('takes client ids of --application for applications', async () => {
  const { document } = await json(...BASE, '--application', ORDERS.toUpperCase(), manifests)
  expect(document.identities[0].kind).toBe('application')
})

test('prints findings on standard error, and exits with 1 if something is left out', async () => {
  const path = file('more.yaml', stringify(deployment('web', 'nobody', { annotations: INJECT })))
  const { code, out, err } = await run([...BASE, manifests, path])
  expect(code).toBe(1)
  expect(err).toBe(
    'wimds trust: Deployment shop/web: uses ServiceAccount shop/nobody, which is not in the input. Fix: add it to the input\n',
  )
  expect(out).toContain('system:serviceaccount:shop:orders')
})

test('prints no credential for a namespace that claims the identity of another, until it is allowed', async () => {
  const path = file('evil.yaml', stringify(serviceAccount('attacker', ORDERS, {}, 'evil')))
  const refused = await run([...BASE, manifests, path])
  expect(refused).toMatchObject({ code: 1, out: '' })
  expect(refused.err).toContain(
    'is claimed from several namespaces: evil (ServiceAccount evil/attacker), shop (ServiceAccount shop/orders)',
  )
  const one = await run([...BASE, manifests, path, '--allow', `${ORDERS}=shop`])
  expect(one.code).toBe(0)
  expect(one.err).toMatch(
    /^wimds trust: warning: .* is claimed from namespaces that are not allowed: /,
  )
  expect(one.out).toContain('Total (identities: 1): 1 needed\n')
  expect(one.out).not.toContain('evil')
  const both = await run([...BASE, manifests, path, '--allow', `${ORDERS}=shop,evil`])
  expect(both).toMatchObject({ code: 0, err: '' })
  expect(both.out).toContain('system:serviceaccount:evil:attacker')
})

test('says which formats list an identity over the limit', async () => {
  const accounts = Array.from({ length: 21 }, (_, index) => serviceAccount(`a${index}`, ORDERS))
  const path = file('many.yaml', accounts.map((each) => stringify(each)).join('---\n'))
  const { out, err } = await run([...BASE, path])
  expect(err).toContain('Azure allows 20; -o az writes none of them')
  expect(out).toContain('Total (identities: 1): 21 needed\n')
})

describe('says that nothing could be determined, and exits with 1, for', () => {
  const empty = join(directory, 'empty')
  mkdirSync(empty)
  const none =
    'wimds trust: input: nothing could be determined: it has no ServiceAccount and no workload. Fix: pass the manifests of both, or the output of kubectl get serviceaccounts,deployments,statefulsets,daemonsets,cronjobs -A -o json\n'

  test.each([
    ['a text', file('README.md', 'Orders of the shop\n'), none],
    ['a text that is not YAML', file('bad.yaml', 'a: b: c\n'), 'bad.yaml:1:4: Nested mappings'],
    [
      'an unrendered template',
      file('template.yaml', 'kind: Pod\nspec:\n  {{- if .Values.a }}\n  a: 1\n'),
      'template.yaml:3: an unrendered template: {{- if .Values.a }}. Fix: render it first',
    ],
    ['a directory without manifests', empty, 'empty: no file in this directory ends with .yaml'],
  ])('%s', async (_, path, message) => {
    const { code, out, err } = await run([...BASE, path])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(message)
    expect(err.match(/^wimds trust: /gm)).toHaveLength(1)
  })
})

test('says that no credential is needed by accounts without an identity', async () => {
  const path = file('plain.yaml', stringify(serviceAccount('plain', undefined)))
  const { code, out, err } = await run([...BASE, path])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain('None is needed by the input.\n')
})

test('prints nothing if an input cannot be read', async () => {
  const lists = ['--identities', file('not-a-list.json', '{}')]
  const existing = ['--existing', join(directory, 'missing.json')]
  const { code, out, err } = await run([...BASE, ...lists, ...existing, manifests])
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toContain('missing.json: no such file or directory. Fix: check the path')
  expect(err).toMatch(
    /not-a-list\.json: is not the output of az identity list .* Fix: az identity list -o json > /,
  )
})

test.each([
  ['no input', [], 'name a manifest'],
  ['a client id', [manifests, '--client-id', 'x'], '--client-id must be a GUID, not "x"'],
  ['an application', [manifests, '--application', 'x'], '--application must be a GUID, not "x"'],
  ['an audience', [manifests, '--audience', '@/etc/passwd'], '--audience'],
  ['a namespace', [manifests, '--allow', `${ORDERS}=a/b`], '--allow must be CLIENT_ID='],
  ['a format', [manifests, '-o', 'yaml'], '-o yaml: must be one of text, az'],
])('refuses %s', async (_, args, message) => {
  const { code, out, err } = await run([...BASE, ...args])
  expect({ code, out }).toEqual({ code: 64, out: '' })
  expect(err).toContain(message)
})
