/**
 * Builds the examples by kustomize, with the settings of the suite. The API server validates every object with strict fields,
 * as it is and injected. Examples that need no Azure also run.
 */
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testCluster } from './support/cluster.ts'
import { clusterCa, TENANT_ID } from './support/entra.ts'
import { IMAGES } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { needRealImds, needRoute, skipWithoutRoute } from './support/requirements.ts'
import { kubectl, wimds } from './support/run.ts'
import { AUTHORITY_FLAG, ENTRA_FLAGS, IMAGE_FLAGS } from './support/workloads.ts'
import { createFolder } from '../fixtures/folder.ts'

const NAMESPACE = 'wimds-e2e-examples'
/** A namespace that enforces Pod Security `restricted`. */
const RESTRICTED = `${NAMESPACE}-restricted`
const ORDERS = '11111111-1111-4111-8111-111111111111'
const SECOND = '44444444-4444-4444-8444-444444444444'

const EXAMPLES = ['kubernetes', 'services'].flatMap((folder) =>
  readdirSync(join('examples', folder)).map((name) => `${folder}/${name}`),
)

const cluster = testCluster(
  NAMESPACE,
  { clientId: ORDERS, serviceAccounts: [`${NAMESPACE}:orders`, `${RESTRICTED}:orders`] },
  { clientId: SECOND, serviceAccounts: [`${NAMESPACE}:orders`] },
)

/** A copy of the examples, edited as their README says. */
const folder = createFolder()
beforeAll(async () => {
  cpSync('examples', folder.path, { recursive: true })
  const [image = '', tag = ''] = IMAGES.around.split(':')
  edit('settings/kustomization.yaml', [
    [/clientId=.+/, `clientId=${ORDERS}`],
    [/tenantId=.+/, `tenantId=${TENANT_ID}`],
    [/secondClientId=.+/, `secondClientId=${SECOND}`],
    [/(?<=name: curl\n +newName: ).+/, image],
    [/(?<=newName: .+\n +newTag: ).+/, `'${tag}'`],
    [/(?<=^namespace: ).+/m, NAMESPACE],
  ])
  edit('kubernetes/identity-binding-and-federation/kustomization.yaml', [
    [/(?<=^namespace: ).+/m, NAMESPACE],
  ])
  folder.write('kubernetes/corporate-ca/ca.crt', await clusterCa())
  // A dry run of a pod needs its ServiceAccount.
  await cluster.namespace.kubectl(['create', 'serviceaccount', 'orders'])
})
afterAll(() => folder[Symbol.dispose]())

function edit(name: string, replacements: readonly (readonly [RegExp, string])[]): void {
  const text = replacements.reduce(
    (before, [pattern, replacement]) => {
      expect(before).toMatch(pattern)
      return before.replace(pattern, replacement)
    },
    readFileSync(folder.file(name), 'utf8'),
  )
  folder.write(name, text)
}

const build = (example: string) => kubectl(['kustomize', folder.file(example)])

const apply = (manifest: string, ...flags: readonly string[]) =>
  kubectl(['apply', '--validate=strict', '-f', '-', ...flags], manifest)

async function inject(manifest: string, ...flags: readonly string[]): Promise<string> {
  const args = ['inject', ...IMAGE_FLAGS, ...flags, '-']
  const { stdout, stderr } = await wimds(args, { input: manifest })
  expect(stderr).not.toMatch(/warning/)
  return stdout
}

test.each(EXAMPLES)('the API server accepts %s before and after injection', async (example) => {
  const plain = await build(example)
  expect(plain).toContain(`client-id: ${ORDERS}`)
  expect(plain).not.toContain('of the settings')
  expect(plain).not.toMatch(/namespace: (?!wimds-e2e-examples$)/m)
  await apply(plain, '--dry-run=server')
  const applied = await apply(await inject(plain), '--dry-run=server', '--output=yaml')
  expect(applied).toContain(`image: ${IMAGES.sidecar}`)
})

const TOKEN = /"access_token":"\(not shown\)"/

async function logsOf(workload: string): Promise<string> {
  return cluster.namespace.kubectl(['logs', workload, '--all-containers'])
}

const SERVICE = 'shop-prod.invalid'

describe.concurrent('run', () => {
  test.for([
    ['kubernetes/job', 'migrate', 2],
    ['kubernetes/mode-nft', 'mode-nft', 1],
    ['kubernetes/several-identities', 'several-identities', 2],
    // This example has its CA in a ConfigMap, so it gets no variable for it.
    ['kubernetes/corporate-ca', 'corporate-ca', 1],
  ] as const)('%s gets its tokens and completes', async ([example, job, tokens], { skip }) => {
    if (job === 'mode-nft') await skipWithoutRoute('nft', skip)
    const flags = example.endsWith('-ca') ? [AUTHORITY_FLAG] : ENTRA_FLAGS
    await apply(await inject(await build(example), ...flags))
    const complete = ['wait', '--for=condition=complete', `job/${job}`, '--timeout=120s']
    await cluster.namespace.kubectl(complete)
    const logs = await logsOf(`job/${job}`)
    expect(logs.match(new RegExp(TOKEN, 'g'))).toHaveLength(tokens)
    expect(logs).not.toContain('eyJ')
  })

  test('kubernetes/mode-env completes where Pod Security `restricted` is enforced', async () => {
    const restricted = await cluster.another(RESTRICTED, 'restricted')
    const manifest = (await build('kubernetes/mode-env')).replaceAll(NAMESPACE, RESTRICTED)
    await apply(await inject(manifest, ...ENTRA_FLAGS))
    const complete = ['wait', '--for=condition=complete', 'job/mode-env', '--timeout=120s']
    await restricted.kubectl(complete)
    expect(await restricted.kubectl(['logs', 'job/mode-env'])).toMatch(TOKEN)
  })

  test('kubernetes/deployment becomes available, and gets a token', async () => {
    await apply(await inject(await build('kubernetes/deployment'), ...ENTRA_FLAGS))
    const rollout = ['rollout', 'status', 'deployment/orders', '--timeout=120s']
    await cluster.namespace.kubectl(rollout)
    await eventually('it has a token', async () => {
      expect(await logsOf('deployment/orders')).toMatch(TOKEN)
      return true
    })
  })

  test.each([
    ['services/key-vault', 'read-secret'],
    ['services/blob-storage', 'read-blob'],
    ['services/cosmos-db', 'read-container'],
  ])('%s gets its token, and fails without the service', async (example, job) => {
    const once = (await build(example))
      .replace('backoffLimit: 2', 'backoffLimit: 0')
      // A cluster with internet access may find a service of the example's name.
      .replaceAll(/shop-?prod\.[\w.]+/g, SERVICE)
    await apply(await inject(once, ...ENTRA_FLAGS))
    const failed = ['wait', '--for=condition=failed', `job/${job}`, '--timeout=120s']
    await cluster.namespace.kubectl(failed)
    const logs = await logsOf(`job/${job}`)
    expect(logs).toContain('"event":"token_obtained"')
    expect(logs).toContain(`Could not resolve host: ${SERVICE}`)
  })
})

describe('kubernetes/mode-nft', () => {
  needRealImds()
  needRoute()

  test('gets the instance document from the node’s metadata service', async () => {
    expect(await logsOf('job/mode-nft')).toContain('"from":"the node"')
  })
})
