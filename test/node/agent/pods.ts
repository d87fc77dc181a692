/** Pods as the API server sends them, for the tests of the node agent. */
import { createNodeAgentMetrics, registerNodeState } from '../../../src/node/agent/agent-metrics.ts'
import { parseRoutedPod, type RoutedPod } from '../../../src/node/agent/routed-pod.ts'

interface PodParts {
  readonly uid?: string
  readonly namespace?: string
  readonly name?: string
  readonly listen?: string
  readonly addresses?: readonly string[]
  readonly phase?: string
  readonly deletionTimestamp?: string
  readonly env?: readonly object[]
  /** Literal variables of its gate. */
  readonly settings?: Readonly<Record<string, string>>
  readonly spec?: object
}

/** The directory of the pod's projected token in the gate. */
export const TOKEN_DIRECTORY = '/var/run/secrets/azure/tokens'

/** With them a broker serves a pod, and gets no token. */
export const SETTINGS = {
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_CLIENT_ID: '11111111-1111-4111-8111-111111111111',
  AZURE_FEDERATED_TOKEN_FILE: `${TOKEN_DIRECTORY}/token`,
}

/** Returns a pod that was injected in mode node. */
export function nodeModePod({
  uid = '8d2c0f3e-5b7a-4f0e-9c41-2a6c1f0b7d55',
  namespace = 'shop',
  name = 'app',
  listen = '127.0.0.1:64169',
  addresses = ['10.9.0.2'],
  phase = 'Pending',
  deletionTimestamp,
  env = [],
  settings = {},
  spec = {},
}: PodParts = {}) {
  const gate = {
    name: 'wimds-gate',
    env: [
      { name: 'WIMDS_LISTEN', value: listen },
      { name: 'WIMDS_POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
      ...env,
      ...Object.entries(settings).map(([key, value]) => ({ name: key, value })),
    ],
    volumeMounts: [{ name: 'wimds-token', mountPath: TOKEN_DIRECTORY, readOnly: true }],
  }
  return {
    metadata: {
      uid,
      namespace,
      name,
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    spec: {
      serviceAccountName: 'orders',
      initContainers: [gate],
      containers: [{ name: 'app' }],
      volumes: [{ name: 'wimds-token', projected: { sources: [] } }],
      ...spec,
    },
    status: {
      phase,
      ...(addresses.length > 0 && { podIPs: addresses.map((ip) => ({ ip })) }),
    },
  }
}

/** Returns what the agent keeps of that pod. */
export function routedPod(parts: PodParts = {}): RoutedPod {
  const pod = parseRoutedPod(nodeModePod(parts))
  if (pod === undefined) throw new Error('not a pod of mode node')
  return pod
}

/** Returns what the CNI library of containerd 1.6 caches when it has set up the sandbox of a pod. */
export function cniResult(uid: string, sandbox: string) {
  return {
    kind: 'cniCacheV1',
    containerId: 'c0ffee',
    ifName: 'eth0',
    networkName: 'pods',
    cniArgs: [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAMESPACE', 'shop'],
      ['K8S_POD_NAME', 'app'],
      ['K8S_POD_INFRA_CONTAINER_ID', 'c0ffee'],
      ['K8S_POD_UID', uid],
    ],
    result: {
      cniVersion: '1.0.0',
      interfaces: [
        { name: 'bridge0', mac: '3a:25:8e:9f:33:76' },
        { name: 'veth1', mac: '5a:25:8e:9f:33:76' },
        { name: 'eth0', mac: '6a:25:8e:9f:33:76', sandbox },
      ],
      ips: [{ interface: 2, address: '10.9.0.2/24', gateway: '10.9.0.1' }],
    },
  }
}

/** Returns the part that counts of what containerd tells runc of a sandbox: config.json in its OCI bundle. */
export function sandboxBundle(uid: string, path: string) {
  return {
    ociVersion: '1.1.0',
    process: { args: ['/pause'], cwd: '/' },
    annotations: {
      'io.kubernetes.cri.container-type': 'sandbox',
      'io.kubernetes.cri.sandbox-id': 'c0ffee',
      'io.kubernetes.cri.sandbox-name': 'app',
      'io.kubernetes.cri.sandbox-namespace': 'shop',
      'io.kubernetes.cri.sandbox-uid': uid,
    },
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'network', path }],
    },
  }
}

/** Creates the metrics of a node without pods. */
export function createIdleMetrics() {
  const { registry } = createNodeAgentMetrics(new Map())
  registerNodeState(registry, {
    counts: () => ({ routed: 0, pending: 0 }),
    longestPendingMs: () => 0,
  })
  return registry
}
