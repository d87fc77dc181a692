/** The sidecar, and the broker of mode node, trust a rotated CA without a restart. */
import { beforeAll, expect, test } from 'vitest'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { testCluster } from './support/cluster.ts'
import { clusterCa } from './support/entra.ts'
import { eventually } from './support/eventually.ts'
import { agentReady, inAgentNamespace, installAgent, startAgent } from './support/node-agent.ts'
import { ACCOUNT, appPod, injectedPods, STAY } from './support/workloads.ts'
import { stringify } from 'yaml'

const NAMESPACE = 'wimds-e2e-ca'

const cluster = testCluster(NAMESPACE)

beforeAll(() => cluster.namespace.create(ACCOUNT))

const configMap = (name: string, data: Record<string, string>) =>
  stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

/** Expects that the pod gets no token, since its CA is not the one of Entra ID. */
async function expectUntrusted(pod: string): Promise<void> {
  const { status, body } = await cluster.ask(pod)
  expect(status).not.toBe(200)
  expect(JSON.stringify(body)).toContain('entra_tls')
}

/** Waits until the pod gets a token: the kubelet has to update the volume, and wimds to read its file again. */
async function expectTrusted(pod: string): Promise<void> {
  await eventually(
    'a token',
    async () => {
      expect(await cluster.ask(pod)).toMatchObject({ status: 200 })
      return true
    },
    { withinMs: 180_000, everyMs: 2000 },
  )
}

const APPLY = ['apply', '--server-side', '--force-conflicts', '-f', '-']

test('the sidecar trusts a rotated CA without a restart', async () => {
  const { caPem: otherCa } = await createCertificateAuthority()
  await cluster.namespace.create(configMap('rotated', { 'ca.crt': otherCa }))
  const annotations = { 'wimds.io/ca-config-map': 'rotated' }
  const pod = appPod({ name: 'rotated', account: 'app', script: STAY, annotations })
  await cluster.namespace.create(await injectedPods('loopback', [ACCOUNT], [pod]))
  await cluster.namespace.ready('rotated')
  await expectUntrusted('rotated')
  const both = configMap('rotated', { 'ca.crt': otherCa + (await clusterCa()) })
  await cluster.namespace.kubectl(APPLY, both)
  // The kubelet syncs a changed pod at once, and other pods within about a minute.
  await cluster.namespace.kubectl(['annotate', 'pod', 'rotated', 'now=look'])
  await expectTrusted('rotated')
  const restarts = '{.status.initContainerStatuses[?(@.name=="wimds")].restartCount}'
  expect(await cluster.namespace.field('pod rotated', restarts)).toBe('0')
}, 240_000)

const RESTARTS =
  '{range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{"\\n"}{end}'
/** Returns the uid of each agent and the number of its restarts. */
const listAgents = async () =>
  (await inAgentNamespace(['get', 'pods', `--output=jsonpath=${RESTARTS}`])).trim().split('\n')

test('the broker of mode node trusts a rotated CA, and no agent restarts', async () => {
  await startAgent()
  const { caPem: otherCa } = await createCertificateAuthority()
  await inAgentNamespace(APPLY, configMap('corporate-ca', { 'ca.crt': otherCa }))
  await installAgent('--set=injection.ca.configMap=corporate-ca')
  await agentReady()
  const agents = await listAgents()
  const pod = appPod({ name: 'broker', account: 'app', script: STAY })
  await cluster.namespace.create(await injectedPods('node', [ACCOUNT], [pod]))
  await cluster.namespace.ready('broker')
  await expectUntrusted('broker')
  const both = configMap('corporate-ca', { 'ca.crt': otherCa + (await clusterCa()) })
  await inAgentNamespace(APPLY, both)
  await inAgentNamespace(['annotate', 'pods', '--all', 'now=look'])
  await expectTrusted('broker')
  // An agent of the earlier rollout may have ended meanwhile.
  expect(agents).toEqual(expect.arrayContaining(await listAgents()))
  await startAgent()
  await inAgentNamespace(['delete', 'configmap', 'corporate-ca'])
}, 400_000)
