/** Starts, for all tests, Entra ID with the cluster's issuer, and the metadata service of each node. */
import { stringify } from 'yaml'
import { AROUND, ENTRA_HOST } from './around.ts'
import { createServerCertificate } from './certificate.ts'
import { connectToEntra, TENANT_ID } from './entra.ts'
import { CLUSTER_CA_IN_PODS, IMAGES } from './environment.ts'
import { eventually } from './eventually.ts'
import { clusterIssuer } from './issuer.ts'
import { type TestNamespace, testNamespace } from './namespace.ts'
import { uninstallAgent } from './node-agent.ts'
import { schedulableNodes } from './nodes.ts'
import { findCloud, METADATA_SERVICE } from './real-imds.ts'
import { kubectl } from './run.ts'

export default async function globalSetup(): Promise<() => Promise<void>> {
  const around = await testNamespace(AROUND)
  await startEntra(around)
  if ((await findCloud()) === undefined) await startMetadataService(around)
  return async () => {
    // The pods of a lost node never end.
    await uninstallAgent('--wait=false')
    await kubectl(['delete', 'namespace', AROUND, '--wait=false'])
  }
}

const API = 'https://kubernetes.default.svc'

async function startEntra(around: TestNamespace): Promise<void> {
  const config = {
    tenants: [{ id: TENANT_ID, name: 'Contoso' }],
    applications: [],
    tls: { certFile: '/entra/tls.crt', keyFile: '/entra/tls.key' },
    issuers: [
      {
        issuer: await clusterIssuer(),
        caFile: CLUSTER_CA_IN_PODS,
        bearerTokenFile: CLUSTER_CA_IN_PODS.replace('ca.crt', 'token'),
        discoveryUrl: `${API}/.well-known/openid-configuration`,
        jwksUrl: `${API}/openid/v1/jwks`,
      },
    ],
  }
  const { certPem, keyPem } = await createServerCertificate(ENTRA_HOST)
  const stringData = { 'entra.yaml': stringify(config), 'tls.crt': certPem, 'tls.key': keyPem }
  const labels = { app: 'entra' }
  const container = {
    name: 'entra',
    image: IMAGES.around,
    command: ['node', 'dist/wimds.js', 'simulate', '--config=/entra/entra.yaml'],
    args: ['--dir=/tmp/simulator', '--listen=[::]:443', `--host=${ENTRA_HOST}`],
    readinessProbe: {
      httpGet: { scheme: 'HTTPS', port: 443, path: '/simulator/requests' },
      periodSeconds: 1,
    },
    // Without this request, pods that start at the same time take Entra ID's CPU.
    resources: { requests: { cpu: '300m' } },
    volumeMounts: [{ name: 'entra', mountPath: '/entra', readOnly: true }],
  }
  await around.create(
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'entra' }, stringData },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'entra' },
      spec: { selector: labels, ports: [{ port: 443 }], ipFamilyPolicy: 'PreferDualStack' },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'entra', labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        // The test of a lost node chooses another node.
        nodeName: (await schedulableNodes())[0],
        containers: [container],
        volumes: [{ name: 'entra', secret: { secretName: 'entra' } }],
      },
    },
  )
  await around.ready('entra')
  await eventually('Entra ID answers', () => connectToEntra(), { withinMs: 20_000 })
}

async function startMetadataService(around: TestNamespace): Promise<void> {
  const labels = { app: METADATA_SERVICE }
  const container = {
    name: METADATA_SERVICE,
    image: IMAGES.around,
    command: ['node', 'metadata-service.mjs'],
    securityContext: { capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_BIND_SERVICE'] } },
  }
  await around.create({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: METADATA_SERVICE },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { hostNetwork: true, terminationGracePeriodSeconds: 5, containers: [container] },
      },
    },
  })
  await around.kubectl(['rollout', 'status', `daemonset/${METADATA_SERVICE}`, '--timeout=60s'])
}
