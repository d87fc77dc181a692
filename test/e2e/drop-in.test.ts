/** The images in a pod that the azure-workload-identity webhook (v1.6.0) has injected. */
import { beforeAll, describe, expect, test } from 'vitest'
import { testCluster } from './support/cluster.ts'
import { AUTHORITY, TENANT_ID } from './support/entra.ts'
import { CLUSTER_CA_IN_PODS, IMAGES } from './support/environment.ts'
import { appPod, curl, METADATA, replyIn, STAY, TOKEN_PATH } from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-drop-in'
const CLIENT = '11111111-1111-4111-8111-111111111111'
const TOKEN_FILE = '/var/run/secrets/azure/wi/token/azure-identity-token'
const VOLUME = 'azure-workload-identity-reserved-0f1e2d'

const cluster = testCluster(NAMESPACE, {
  clientId: CLIENT,
  serviceAccounts: [`${NAMESPACE}:default`],
})

beforeAll(async () => {
  await cluster.namespace.create(mutated('native', 8000, true), mutated('classic', 8765, false))
})

const mounts = [{ name: VOLUME, mountPath: '/var/run/secrets/azure/wi', readOnly: true }]

/** The variables that this webhook sets on every container, and the CA of the simulated Entra ID. */
const env = Object.entries({
  AZURE_CLIENT_ID: CLIENT,
  AZURE_TENANT_ID: TENANT_ID,
  AZURE_FEDERATED_TOKEN_FILE: TOKEN_FILE,
  AZURE_AUTHORITY_HOST: `${AUTHORITY}/`,
  WIMDS_CA_FILE: CLUSTER_CA_IN_PODS,
}).map(([name, value]) => ({ name, value }))

/** A pod injected by that webhook with PROXY_IMAGE and PROXY_INIT_IMAGE set to the images of wimds. */
function mutated(name: string, port: number, isNative: boolean) {
  const plain = appPod({ name, script: `${curl(TOKEN_PATH)}; ${STAY}` })
  const [app] = plain.spec.containers
  const proxyInit = {
    name: 'azwi-proxy-init',
    image: IMAGES.redirect,
    env: [{ name: 'PROXY_PORT', value: String(port) }, ...env],
    // The native pod has what that webhook sets, the classic pod the minimum.
    securityContext: {
      privileged: isNative,
      runAsNonRoot: false,
      runAsUser: 0,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    },
    volumeMounts: mounts,
  }
  const proxy = {
    name: 'azwi-proxy',
    image: IMAGES.sidecar,
    args: [`--proxy-port=${port}`, '--log-level=info'],
    ports: [{ containerPort: port }],
    env,
    lifecycle: {
      postStart: {
        exec: { command: ['/proxy', `--proxy-port=${port}`, '--probe', '--log-level=info'] },
      },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
    },
    volumeMounts: mounts,
    ...(isNative && { restartPolicy: 'Always' }),
  }
  const source = { audience: 'api://AzureADTokenExchange', expirationSeconds: 3600 }
  const sources = [{ serviceAccountToken: { ...source, path: 'token/azure-identity-token' } }]
  return {
    ...plain,
    metadata: { ...plain.metadata, labels: { 'azure.workload.identity/use': 'true' } },
    spec: {
      ...plain.spec,
      // A pod-wide runAsUser would apply to the proxy too.
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      initContainers: isNative ? [proxy, proxyInit] : [proxyInit],
      containers: [...(isNative ? [] : [proxy]), { ...app, env, volumeMounts: mounts }],
      volumes: [{ name: VOLUME, projected: { sources } }],
    },
  }
}

describe.each([
  ['native', 8000],
  ['classic', 8765],
])('a %s sidecar on port %i', (name, port) => {
  test('gives the app its token at the metadata address', async () => {
    await cluster.namespace.ready(name)
    const asked = await cluster.namespace.exec(name, 'app', ['sh', '-c', curl(TOKEN_PATH)])
    const { status, body } = replyIn(asked)
    expect(status).toBe(200)
    expect(await cluster.entra.clientIdOf(String(body['access_token']))).toBe(CLIENT)
  })

  test('serves the proxy’s routes on its port, and opens no other port', async () => {
    const script = [
      `curl -sS -o /dev/null -w '%{http_code} ' http://127.0.0.1:${port}/readyz`,
      `curl -sS -o /dev/null -w '%{http_code} ' -H Metadata:true http://127.0.0.1:${port}/Metadata/identity/oauth2/token/?resource=https://vault.azure.net`,
      `curl -sS -o /dev/null -w '%{http_code} ' http://127.0.0.1:9169/healthz || true`,
    ]
    const codes = await cluster.namespace.exec(name, 'app', ['sh', '-c', script.join('; ')])
    expect(codes.trim()).toMatch(/^200 (?:200|400) 000$/)
  })

  test('runs with the proxy’s uid', async () => {
    const uid = ['/nodejs/bin/node', '-p', 'process.getuid()']
    expect(await cluster.namespace.exec(name, 'azwi-proxy', uid)).toBe('1501\n')
  })

  test('has the proxy’s program at its path, and wimds on the PATH', async () => {
    expect(await cluster.namespace.exec(name, 'azwi-proxy', ['/proxy', '--version'])).toMatch(
      /^wimds \d/,
    )
    expect(await cluster.namespace.exec(name, 'azwi-proxy', ['wimds', 'version'])).toMatch(
      /^wimds \d/,
    )
  })
})

test('the init container reads METADATA_IP and METADATA_PORT, with NET_ADMIN alone', async () => {
  const pod = mutated('elsewhere', 8000, false)
  const [init] = pod.spec.initContainers
  const more = { METADATA_IP: '169.254.169.253', METADATA_PORT: '8080', PROXY_UID: '1501' }
  const variables = Object.entries(more).map(([name, value]) => ({ name, value }))
  const initContainers = [{ ...init, env: variables }]
  await cluster.namespace.create({ ...pod, spec: { ...pod.spec, initContainers } })
  await cluster.namespace.ready('elsewhere')
  const elsewhere = METADATA.replace('254.169.254', '254.169.253:8080')
  const script = `curl -sS -H Metadata:true -H Host:localhost '${elsewhere}${TOKEN_PATH}'`
  const body: Record<string, string> = JSON.parse(
    await cluster.namespace.exec('elsewhere', 'app', ['sh', '-c', script]),
  )
  expect(await cluster.entra.clientIdOf(body['access_token'] ?? '')).toBe(CLIENT)
})
