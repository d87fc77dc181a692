/** A CA of a ConfigMap or Secret in the sidecar: a missing one, a wrong one, and its rotation without a restart. */
import { beforeAll, expect, test } from 'vitest'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { testCluster } from './support/cluster.ts'
import { clusterCa } from './support/entra.ts'
import { IMAGES } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { wimds } from './support/run.ts'
import { appPod, AUTHORITY_FLAG, serviceAccount, STAY } from './support/workloads.ts'
import { stringify } from 'yaml'

const NAMESPACE = 'wimds-e2e-ca'
const CLIENT = '11111111-1111-4111-8111-111111111111'

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:app`],
})

const account = serviceAccount('app', CLIENT)

beforeAll(() => cluster.namespace.create(account))

/** Creates a pod whose sidecar trusts the CA that the annotation names, and no other private one. */
async function createPod(name: string, annotations: Record<string, string>): Promise<void> {
  const pod = appPod({ name, account: 'app', script: STAY, annotations })
  const input = [account, pod].map((object) => stringify(object)).join('---\n')
  const images = [`--image=${IMAGES.sidecar}`, `--redirect-image=${IMAGES.redirect}`]
  const { stdout } = await wimds(['inject', ...images, AUTHORITY_FLAG, '-'], { input })
  await cluster.namespace.kubectl(['apply', '--validate=strict', '-f', '-'], stdout)
}

const configMap = (name: string, data: Record<string, string>) =>
  stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

test('a pod whose ConfigMap is missing starts once that exists', async () => {
  await createPod('late', { 'wimds.io/ca-config-map': 'late/bundle.pem' })
  await eventually('an event names the ConfigMap', async () => {
    const events = await cluster.namespace.field('events', '{..message}')
    expect(events).toContain('MountVolume.SetUp failed for volume "wimds-ca"')
    expect(events).toContain('configmap "late" not found')
    return true
  })
  await cluster.namespace.create(configMap('late', { 'bundle.pem': await clusterCa() }))
  await cluster.namespace.ready('late', 180)
  expect(await cluster.ask('late')).toMatchObject({ status: 200 })
}, 240_000)

test('a CA of a Secret is mounted without the private key beside it', async () => {
  const stringData = { 'ca.crt': await clusterCa(), 'tls.key': 'private' }
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ca' }, stringData }
  await cluster.namespace.create(secret)
  await createPod('secret', { 'wimds.io/ca-secret': 'ca' })
  await cluster.namespace.ready('secret')
  expect(await cluster.ask('secret')).toMatchObject({ status: 200 })
  const list = ['/nodejs/bin/node', '-p', 'fs.readdirSync("/etc/ssl/wimds").join()']
  const files = await cluster.namespace.exec('secret', 'wimds', list)
  expect(files).toContain('ca.crt')
  expect(files).not.toContain('tls.key')
})

test('a CA that is rotated is trusted without a restart', async () => {
  const { caPem: otherCa } = await createCertificateAuthority()
  await cluster.namespace.create(configMap('rotated', { 'ca.crt': otherCa }))
  await createPod('rotated', { 'wimds.io/ca-config-map': 'rotated' })
  await cluster.namespace.ready('rotated')
  const { status, body } = await cluster.ask('rotated')
  expect(status).not.toBe(200)
  expect(JSON.stringify(body)).toContain('entra_tls')
  const both = configMap('rotated', { 'ca.crt': otherCa + (await clusterCa()) })
  await cluster.namespace.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], both)
  // The kubelet looks at a pod that changes at once, and at others within about a minute.
  await cluster.namespace.kubectl(['annotate', 'pod', 'rotated', 'now=look'])
  await eventually(
    'a token',
    async () => {
      expect(await cluster.ask('rotated')).toMatchObject({ status: 200 })
      return true
    },
    { withinMs: 180_000, everyMs: 2000 },
  )
  const restarts = '{.status.initContainerStatuses[?(@.name=="wimds")].restartCount}'
  expect(await cluster.namespace.field('pod rotated', restarts)).toBe('0')
}, 240_000)
