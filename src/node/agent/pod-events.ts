/** Writes Kubernetes events of pods, so that `kubectl describe pod` says why one is not routed. */
import { LRUCache } from 'lru-cache'
import * as z from 'zod/mini'
import { scrubAndTruncate } from '../../lib/secret.ts'
import type { ApiServer } from '../../kubernetes/api-client.ts'
import type { PodName } from './routed-pod.ts'

interface PodEventsOptions {
  readonly api: ApiServer
  readonly nodeName: string
  readonly onError: (error: unknown) => void
}

/** An API server deletes events after an hour by default, and a failure that lasts should have one. */
const REPEAT_AFTER_MS = 30 * 60_000
const MAX_KNOWN_PODS = 1000
/** How many messages of a pod are written in that time. A compromised broker can make up any number. */
const MAX_MESSAGES_PER_POD = 10

/** The API server rejects longer messages. */
const MAX_MESSAGE = 1024

/**
 * Creates a function that writes a warning. It writes the same message of a pod once in half an hour, and at most ten messages
 * of a pod in that time: attempts that fail again and again would fill the API server with events. Reports a failure to write;
 * the next attempt then writes the event.
 */
export function createPodEvents({ api, nodeName, onError }: PodEventsOptions) {
  const writtenOf = new LRUCache<string, Set<string>>({
    max: MAX_KNOWN_PODS,
    ttl: REPEAT_AFTER_MS,
    ttlResolution: 0,
    perf: performance,
  })

  return async ({ namespace, name, uid }: PodName, text: string): Promise<void> => {
    const message = scrubAndTruncate(text, MAX_MESSAGE)
    const written = writtenOf.get(uid) ?? new Set()
    if (written.has(message) || written.size === MAX_MESSAGES_PER_POD) return
    writtenOf.set(uid, written.add(message), { noUpdateTTL: true })
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
    const call = {
      action: `write an event of the pod ${namespace}/${name}`,
      method: 'POST' as const,
      path: `/api/v1/namespaces/${namespace}/events`,
      body,
    }
    await api.call(call, z.unknown()).catch((error: unknown) => {
      written.delete(message)
      onError(error)
    })
  }
}
