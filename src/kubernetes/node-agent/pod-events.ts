/** Writes Kubernetes events of pods, so that `kubectl describe pod` says why one is not routed. */
import { CoreV1Api, type KubeConfig } from '@kubernetes/client-node'
import { LRUCache } from 'lru-cache'
import { scrubAndTruncate } from '../../secret.ts'
import { attempt, createCallOptions } from '../api-client.ts'
import type { RoutedPod } from './routed-pod.ts'

interface PodEventsOptions {
  readonly config: KubeConfig
  readonly nodeName: string
  readonly signal: AbortSignal
  readonly onError: (error: unknown) => void
  readonly now?: () => number
}

/** An API server deletes events after an hour by default, and a failure that lasts should have one. */
const REPEAT_AFTER_MS = 30 * 60_000
const MAX_KNOWN_EVENTS = 1000

/** The API server rejects longer messages. */
const MAX_MESSAGE = 1024
const CALL_TIMEOUT_MS = 10_000

/**
 * Creates a function that writes a warning, once in half an hour for each pod and message: attempts that fail for the
 * same reason would fill the API server with the same event. A failure to write it is reported; the next attempt then
 * writes it.
 */
export function createPodEvents({
  config,
  nodeName,
  signal,
  onError,
  now = () => performance.now(),
}: PodEventsOptions) {
  const core = config.makeApiClient(CoreV1Api)
  const call = createCallOptions(CALL_TIMEOUT_MS, signal)
  const written = new LRUCache<string, true>({
    max: MAX_KNOWN_EVENTS,
    ttl: REPEAT_AFTER_MS,
    ttlResolution: 0,
    perf: { now },
  })

  return async ({ namespace, name, uid }: RoutedPod, text: string): Promise<void> => {
    const message = scrubAndTruncate(text, MAX_MESSAGE)
    const key = `${uid} ${message}`
    if (written.has(key)) return
    written.set(key, true)
    const time = new Date()
    const body = {
      metadata: { generateName: 'wimds-node-agent-' },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      type: 'Warning',
      reason: 'WimdsNotRouted',
      message,
      source: { component: 'wimds-node-agent', host: nodeName },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    }
    await attempt(`write an event of the pod ${namespace}/${name}`, () =>
      core.createNamespacedEvent({ namespace, body }, call),
    ).catch((error: unknown) => {
      written.delete(key)
      onError(error)
    })
  }
}
