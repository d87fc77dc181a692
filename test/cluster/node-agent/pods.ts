/** Pods as the API server sends them, for the tests of the node agent. */

interface PodParts {
  readonly uid?: string
  readonly name?: string
  readonly mode?: string
  readonly listen?: string
  readonly addresses?: readonly string[]
  readonly isStarted?: boolean
  readonly phase?: string
  readonly deletionTimestamp?: string
  readonly spec?: object
}

/** Returns a pod that was injected in mode node. */
export function nodeModePod({
  uid = '8d2c0f3e-5b7a-4f0e-9c41-2a6c1f0b7d55',
  name = 'app',
  mode = 'node',
  listen = '127.0.0.1:8000',
  addresses = ['10.9.0.2'],
  isStarted = false,
  phase = 'Pending',
  deletionTimestamp,
  spec = {},
}: PodParts = {}) {
  const env = [
    { name: 'WIMDS_MODE', value: mode },
    { name: 'WIMDS_LISTEN', value: listen },
    { name: 'WIMDS_NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
  ]
  return {
    metadata: {
      uid,
      namespace: 'shop',
      name,
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    spec: { initContainers: [{ name: 'wimds', env }], containers: [{ name: 'app' }], ...spec },
    status: {
      phase,
      ...(addresses.length > 0 && { podIPs: addresses.map((ip) => ({ ip })) }),
      initContainerStatuses: [{ name: 'wimds', started: isStarted }],
    },
  }
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
