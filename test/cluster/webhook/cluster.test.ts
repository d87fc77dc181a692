/** Calls of an API server that fails, hangs, or answers nonsense. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConfigError } from '../../../src/lib/errors.ts'
import { type Cluster, connectToCluster } from '../../../src/cluster/webhook/cluster.ts'
import {
  ACCOUNT,
  answer,
  CONFIGURATION,
  CONFIGURATION_UID,
  CREATE_SECRET,
  type Fault,
  PATCH_SECRET,
  READ_SECRET,
  startApiServer,
  VERSION,
  WATCH,
} from '../../fixtures/api-server.ts'

let open: Cluster | undefined
afterEach(() => open?.close())

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** Connects with short pauses, and collects the reported errors. */
function connect(limits?: Parameters<typeof connectToCluster>[0]['limits']) {
  const errors: string[] = []
  const cluster = connectToCluster({
    onError: (error) => errors.push(messageOf(error)),
    pause: () => new Promise((resolve) => void setTimeout(resolve, 5)),
    ...(limits && { limits }),
  })
  open = cluster
  return { cluster, errors }
}

describe('connectToCluster', () => {
  test('throws a ConfigError without any configuration', () => {
    vi.stubEnv('KUBECONFIG', '')
    vi.stubEnv('HOME', '/nonexistent')
    vi.stubEnv('KUBERNETES_SERVICE_HOST', '')
    expect(() => connect()).toThrow(ConfigError)
    expect(() => connect()).toThrow(/no Kubernetes cluster: .* Fix: /)
  })
})

describe('getServiceAccount', () => {
  test('returns the annotations', async () => {
    await using _ = await startApiServer()
    expect(await connect().cluster.getServiceAccount('n', 'app')).toEqual({ a: 'b' })
  })

  test('returns undefined for 404', async () => {
    await using _ = await startApiServer()
    expect(await connect().cluster.getServiceAccount('n', 'ghost')).toBeUndefined()
  })

  test('throws if the answer is larger than 1 MiB', async () => {
    const account = { metadata: {}, secrets: 'x'.repeat(1_100_000) }
    await using api = await startApiServer({
      [ACCOUNT]: (response) => answer(response, 200, account),
    })
    await expect(connect().cluster.getServiceAccount('n', 'app')).rejects.toThrow(
      'larger than 1048576 bytes',
    )
    expect(api.calls(ACCOUNT)).toBe(1)
  })
})

describe('getMinorVersion', () => {
  test('repeats the call until there is a version, and reports no bodies', async () => {
    const faults: Fault[] = [
      (response) => answer(response, 500, { message: 'a-body' }),
      (response) => response.destroy(),
      (response) => response.setHeader('Content-Type', 'application/json').end('a-body'),
      (response) => answer(response, 200, {}),
      (response) => answer(response, 200, { major: '1', minor: '31+' }),
    ]
    await using api = await startApiServer({
      [VERSION]: (response, count) =>
        faults[count - 1]?.(response.setHeader('X-A', 'a-header'), count, ''),
    })
    const { cluster, errors } = connect()
    expect(await cluster.getMinorVersion()).toBe(31)
    expect(api.calls(VERSION)).toBe(5)
    expect(errors).toEqual([
      'cannot read the version of Kubernetes: the API server answered 500',
      'cannot read the version of Kubernetes: other side closed',
      'cannot read the version of Kubernetes: the API server did not send JSON',
      'cannot read the version of Kubernetes: the answer of the API server is not of the expected kind',
    ])
  })

  test('ends when the cluster is closed', async () => {
    await using _ = await startApiServer({ [VERSION]: (response) => answer(response, 500, {}) })
    const { cluster, errors } = connect()
    const version = cluster.getMinorVersion().catch(() => 'ended')
    await expect.poll(() => errors.length).toBeGreaterThan(1)
    cluster.close()
    expect(await version).toBe('ended')
  })
})

const MATERIAL = { certPem: 'c', keyPem: 'k', caPem: 'a' }
const storeOf = ({ createCertificateStore }: Cluster) =>
  createCertificateStore({
    namespace: 'wimds',
    secret: 'wimds-webhook-tls',
    configuration: 'wimds',
  })

describe('the certificate store', () => {
  test('creates a Secret that does not exist', async () => {
    await using api = await startApiServer({
      [READ_SECRET]: (response) => answer(response, 404, {}),
    })
    const store = storeOf(connect().cluster)
    const { material, revision } = await store.read()
    expect({ material, revision }).toEqual({ material: undefined, revision: undefined })
    expect(await store.write(MATERIAL, revision)).toBe(true)
    expect(api.calls(CREATE_SECRET)).toBe(1)
  })

  test('lets the configuration own the Secret, so that an uninstall deletes it', async () => {
    let created = ''
    await using _ = await startApiServer({
      [CREATE_SECRET]: (response, _count, body) => {
        created = body
        answer(response, 201, {})
      },
    })
    await storeOf(connect().cluster).write(MATERIAL, undefined)
    const owner = { kind: 'MutatingWebhookConfiguration', name: 'wimds', uid: CONFIGURATION_UID }
    expect(JSON.parse(created)).toMatchObject({
      metadata: { name: 'wimds-webhook-tls', ownerReferences: [owner] },
    })
  })

  test('creates no Secret after the configuration was deleted', async () => {
    await using api = await startApiServer({
      [CONFIGURATION]: (response) => answer(response, 404, {}),
    })
    await expect(storeOf(connect().cluster).write(MATERIAL, undefined)).rejects.toThrow(
      'cannot read the MutatingWebhookConfiguration wimds: the API server answered 404',
    )
    expect(api.calls(CREATE_SECRET)).toBe(0)
  })

  test.each([
    ['another replica has created it', CREATE_SECRET, 409, undefined],
    ['another replica has written it', PATCH_SECRET, 422, '1'],
    ['it was deleted since it was read', PATCH_SECRET, 404, '1'],
  ])('reports a conflict if %s', async (_, call, status, revision) => {
    await using api = await startApiServer({ [call]: (response) => answer(response, status, {}) })
    expect(await storeOf(connect().cluster).write(MATERIAL, revision)).toBe(false)
    expect(api.calls(call)).toBe(1)
  })
})

const wait = async (cluster: Cluster) => (await storeOf(cluster).publishCa('a'))()

describe('waitForChange', () => {
  test('resolves when the API server ends the watch', async () => {
    await using api = await startApiServer()
    const changed = wait(connect().cluster)
    await expect.poll(() => api.watches.length).toBe(1)
    api.watches[0]?.end()
    await changed
  })

  test('throws if the watch is refused', async () => {
    await using _ = await startApiServer({ [WATCH]: (response) => answer(response, 403, {}) })
    await expect(wait(connect().cluster)).rejects.toThrow(
      'cannot watch the MutatingWebhookConfiguration wimds: the API server answered 403',
    )
  })
})
