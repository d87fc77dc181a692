/** Writes Kubernetes events of pods, so that `kubectl describe pod` says why one is not routed. */
import { CoreV1Api, type KubeConfig } from '@kubernetes/client-node'
import { scrubAndTruncate } from '../../secret.ts'
import { attempt, createCallOptions } from '../api-client.ts'
import type { RoutedPod } from './routed-pod.ts'

interface PodEventsOptions {
  readonly config: KubeConfig
  readonly nodeName: string
  readonly signal: AbortSignal
  readonly onError: (error: unknown) => void
}

/** The API server rejects longer messages. */
const MAX_MESSAGE = 1024
const CALL_TIMEOUT_MS = 10_000

/** Creates a function that writes a warning. A failure to write it is reported and not retried. */
export function createPodEvents({ config, nodeName, signal, onError }: PodEventsOptions) {
  const core = config.makeApiClient(CoreV1Api)
  const call = createCallOptions(CALL_TIMEOUT_MS, signal)
  return ({ namespace, name, uid }: RoutedPod, message: string): void => {
    const now = new Date()
    const body = {
      metadata: { generateName: 'wimds-node-agent-' },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      type: 'Warning',
      reason: 'WimdsNotRouted',
      message: scrubAndTruncate(message, MAX_MESSAGE),
      source: { component: 'wimds-node-agent', host: nodeName },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }
    attempt(`write an event of the pod ${namespace}/${name}`, () =>
      core.createNamespacedEvent({ namespace, body }, call),
    ).catch(onError)
  }
}
