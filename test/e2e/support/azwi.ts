/** Creates pods as the azure-workload-identity webhook v1.6.0 injects them, with the images of wimds in place of its proxy. */
import { AUTHORITY, TENANT_ID } from './entra.ts'
import { CLUSTER_CA_IN_PODS, IMAGES } from './environment.ts'
import { appPod, CLIENT, curl, STAY, TOKEN_PATH } from './workloads.ts'

const TOKEN_FILE = '/var/run/secrets/azure/wi/token/azure-identity-token'
const VOLUME = 'azure-workload-identity-reserved-0f1e2d'
const mounts = [{ name: VOLUME, mountPath: '/var/run/secrets/azure/wi', readOnly: true }]

interface AzwiPod {
  readonly name: string
  /** False for a classic sidecar, as before Kubernetes 1.32. */
  readonly isNative: boolean
  readonly port: number
}

/** Returns the pod that the webhook makes with PROXY_IMAGE and PROXY_INIT_IMAGE set to the images of wimds. */
export function azwiPod({ name, isNative, port }: AzwiPod) {
  const plain = appPod({ name, script: `${curl(TOKEN_PATH)}; ${STAY}` })
  const [app] = plain.spec.containers
  /** The variables that the webhook sets on every container, and the CA of the simulated Entra ID for wimds and the app. */
  const env = Object.entries({
    AZURE_CLIENT_ID: CLIENT,
    AZURE_TENANT_ID: TENANT_ID,
    AZURE_FEDERATED_TOKEN_FILE: TOKEN_FILE,
    AZURE_AUTHORITY_HOST: `${AUTHORITY}/`,
    WIMDS_CA_FILE: CLUSTER_CA_IN_PODS,
    SSL_CERT_FILE: CLUSTER_CA_IN_PODS,
  }).map(([variable, value]) => ({ name: variable, value }))
  const init = {
    name: 'azwi-proxy-init',
    image: IMAGES.redirect,
    env: [{ name: 'PROXY_PORT', value: String(port) }, ...env],
    // The native pod has the rights that the webhook sets. The classic pod has the least that are enough.
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
      initContainers: isNative ? [proxy, init] : [init],
      containers: [...(isNative ? [] : [proxy]), { ...app, env, volumeMounts: mounts }],
      volumes: [{ name: VOLUME, projected: { sources } }],
    },
  }
}
