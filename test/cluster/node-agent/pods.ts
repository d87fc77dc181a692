/** Pods as the API server sends them, for the tests of the node agent. */

interface PodParts {
  readonly uid?: string
  readonly name?: string
  readonly mode?: string
  readonly listen?: string
  readonly addresses?: readonly string[]
  readonly hostIP?: string
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
  hostIP = '192.168.1.4',
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
      hostIP,
      ...(addresses.length > 0 && { podIPs: addresses.map((ip) => ({ ip })) }),
      initContainerStatuses: [{ name: 'wimds', started: isStarted }],
    },
  }
}
