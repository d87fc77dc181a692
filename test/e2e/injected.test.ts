/** Applications with an SDK of 2021, or with curl, injected by `wimds inject`. */
import { beforeAll, describe, expect, test } from 'vitest'
import { testCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import { startAgent } from './support/node-agent.ts'
import { forgetRequestsToRealImds, requestsToRealImds } from './support/real-imds.ts'
import { havePodsIpv4, needRealImds, skipWithoutRoute } from './support/requirements.ts'
import {
  appPod,
  curl,
  injectedPods,
  legacyPod,
  type Mode,
  serviceAccount,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-injected'
const ORDERS = '11111111-1111-4111-8111-111111111111'
const BILLING = '44444444-4444-4444-8444-444444444444'
/** Modes that redirect 169.254.169.254, one to a sidecar and one to a broker of the node. */
const TRANSPARENT: readonly Mode[] = ['loopback', 'node']
const MODES: readonly Mode[] = ['env', 'nft', ...TRANSPARENT]

const cluster = testCluster(
  NAMESPACE,
  { clientId: ORDERS, serviceAccounts: [`${NAMESPACE}:orders`] },
  { clientId: BILLING, serviceAccounts: [`${NAMESPACE}:billing`] },
)

beforeAll(async () => {
  await startAgent()
  await forgetRequestsToRealImds()
  const accounts = [serviceAccount('orders', ORDERS), serviceAccount('billing', BILLING)]
  await cluster.namespace.create(...accounts)
  for (const mode of MODES) {
    const pods = [
      legacyPod(`legacy-${mode}`, 'orders'),
      ...(mode === 'env' ? [ownTokenPod()] : []),
      ...(TRANSPARENT.includes(mode) ? ['orders', 'billing'].map((who) => curlPod(who, mode)) : []),
    ]
    await cluster.namespace.create(await injectedPods(mode, accounts, pods))
  }
})

/** Returns a pod that projects a token itself, at a path that the sidecar's image may not read. */
const ownTokenPod = () => {
  const serviceAccountToken = { path: 'app/token', audience: 'api://AzureADTokenExchange' }
  return appPod({
    name: 'own-token',
    account: 'orders',
    script: STAY,
    container: {
      env: [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/mnt/tokens/token' }],
      volumeMounts: [{ name: 'tokens', mountPath: '/mnt/tokens', subPath: 'app', readOnly: true }],
    },
    spec: { volumes: [{ name: 'tokens', projected: { sources: [{ serviceAccountToken }] } }] },
  })
}

/** Returns a pod whose app and init container request a token with curl. */
const curlPod = (who: string, mode: Mode) =>
  appPod({
    name: `${who}-${mode}`,
    account: who,
    initScript: curl(TOKEN_PATH),
    script: `${curl(TOKEN_PATH)}; ${STAY}`,
  })

test.for(MODES)('an SDK of 2021 gets its first token in mode %s', async (mode, { skip }) => {
  await skipWithoutRoute(mode, skip)
  const name = `legacy-${mode}`
  await cluster.namespace.ready(name)
  const [line = ''] = (await tokenLine(name)).split('\n')
  const { access_token: token }: Record<string, string> = JSON.parse(line)
  expect(await cluster.entra.clientIdOf(token)).toBe(ORDERS)
})

test('in mode env the App Service secret is the uid of the pod, and the sidecar uses a token that the pod projects itself', async () => {
  await cluster.namespace.ready('own-token')
  const uid = await cluster.namespace.field('pod own-token', '{.metadata.uid}')
  expect(await cluster.namespace.field('pod own-token', '{.spec}')).not.toContain('wimds-token')
  const script = String.raw`echo "$IDENTITY_HEADER $MSI_SECRET"; curl -sS -m 20 -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.azure.net"`
  const app = await cluster.namespace.exec('own-token', 'app', ['sh', '-c', script])
  const [secrets = '', reply = ''] = app.split('\n')
  expect(secrets.split(' ')).toEqual([uid, uid])
  const { access_token: token }: Record<string, string> = JSON.parse(reply)
  expect(await cluster.entra.clientIdOf(token)).toBe(ORDERS)
})

/** Returns the app's output once it has a line: the pod may be ready before. */
const tokenLine = (pod: string) =>
  eventually('a token is printed', async () => {
    const output = await cluster.namespace.logs(pod)
    return output.includes('\n') ? output : undefined
  })

describe.each(TRANSPARENT)('in mode %s', (mode) => {
  test.each([
    ['orders', ORDERS],
    ['billing', BILLING],
  ])('app and init container of %s get their own identity’s token', async (who, clientId) => {
    const pod = `${who}-${mode}`
    await cluster.namespace.ready(pod)
    for (const container of ['init', 'app']) {
      const { status, body } = await cluster.reply(pod, container)
      expect(status).toBe(200)
      expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(clientId)
    }
  })

  test('a pod cannot get a token of another pod’s identity, and its error names the missing credential', async () => {
    await cluster.namespace.ready(`orders-${mode}`)
    const path = `${TOKEN_PATH}&client_id=${BILLING}`
    const { status, body } = await cluster.ask(`orders-${mode}`, path)
    // In the first minutes wimds answers 503, since a missing credential may still be propagating.
    expect([400, 503]).toContain(status)
    const description = String(body['error_description'])
    expect(description).toContain('AADSTS700213')
    expect(description).toContain(`system:serviceaccount:${NAMESPACE}:orders`)
    expect(JSON.stringify(body)).not.toContain('eyJ')
    expect(body).not.toHaveProperty('access_token')
  })
})

test('the init container of mode nft fails in a pod with only IPv6, and names the mode that works', async ({
  skip,
}) => {
  skip(await havePodsIpv4(), 'pods have IPv4 addresses')
  const log = await eventually('the init container has failed', async () => {
    const text = await cluster.namespace.logs('legacy-nft', 'wimds-redirect')
    return text === '' ? undefined : text
  })
  expect(log).toContain('Network is unreachable')
  expect(log).toContain('choose mode loopback')
  const started = await cluster.namespace.field(
    'pod legacy-nft',
    '{.status.containerStatuses[*].started}',
  )
  expect(started).toBe('false')
})

test.for(['loopback', 'nft'] as const)(
  'the init container of mode %s has only NET_ADMIN, and the sidecar has no capability',
  async (mode, { skip }) => {
    await skipWithoutRoute(mode, skip)
    const name = `legacy-${mode}`
    await cluster.namespace.ready(name)
    // These flags lift Node's own permission model, so that only the kernel restricts the process.
    const node = ['/nodejs/bin/node', '--allow-fs-read=*', '--allow-fs-write=*', '-p']
    const status = [...node, 'fs.readFileSync("/proc/self/status","utf8")']
    const sidecar = await cluster.namespace.exec(name, 'wimds', status)
    expect(sidecar).toMatch(/^Uid:\s+1501\s/m)
    expect(sidecar).toMatch(/^CapEff:\s+0{16}$/m)
    expect(sidecar).toMatch(/^CapBnd:\s+0{16}$/m)
    expect(sidecar).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(sidecar).toMatch(/^Seccomp:\s+2$/m)
    const script = 'try { fs.writeFileSync("/app/x", ""); "written" } catch (e) { e.code }'
    const write = [...node, script]
    expect(await cluster.namespace.exec(name, 'wimds', write)).toContain('EROFS')
    const pod = await cluster.namespace.field(`pod ${name}`, '{.spec}')
    expect(pod).toContain('"add":["NET_ADMIN"],"drop":["ALL"]')
    expect(pod).not.toContain('"privileged":true')
  },
)

test('a pod of mode node runs only its own container, and needs neither a capability nor root', async () => {
  await cluster.namespace.ready('orders-node')
  const spec = await cluster.namespace.field('pod orders-node', '{.spec}')
  expect(spec).not.toMatch(/"add":|"runAsUser":0|privileged/)
  expect(await cluster.namespace.field('pod orders-node', '{.spec.containers[*].name}')).toBe('app')
  const running = '{.status.initContainerStatuses[?(@.state.running)].name}'
  expect(await cluster.namespace.field('pod orders-node', running)).toBe('')
})

describe('the node’s metadata service', () => {
  needRealImds()
  test('has got no request', async () => {
    expect(await requestsToRealImds()).toEqual([])
  })
})
