/** All ServiceAccounts, kept at hand: a list of them, and a watch of what has changed since. */
import * as z from 'zod/mini'
import type { ServiceAccountAnnotations } from '../injector/plan.ts'
import { type Pause, retryDelayMs } from './retries.ts'

/** Where they come from. Either may fail at any time, and may send anything. */
export interface ServiceAccountSource {
  /** A ServiceAccountList. */
  readonly list: () => Promise<unknown>
  /** One event of a watch a line, from that version on. It ends when the API server ends it. */
  readonly watch: (resourceVersion: string) => AsyncIterable<string>
}

interface FollowOptions {
  /** Told of whatever breaks a list or a watch; the ServiceAccounts are then listed again. */
  readonly onError: (error: unknown) => void
  readonly signal: AbortSignal
  readonly pause: Pause
  readonly now?: () => number
}

export interface FollowedServiceAccounts {
  /** Resolves with the first list. */
  readonly listed: Promise<void>
  /** Undefined for one that is not known, or not known yet. */
  readonly annotationsOf: (namespace: string, name: string) => ServiceAccountAnnotations | undefined
}

const Version = z.object({ resourceVersion: z.string() })
const Metadata = z.object({
  namespace: z.string(),
  name: z.string(),
  annotations: z.nullish(z.record(z.string(), z.string())),
})
const ServiceAccountList = z.object({
  metadata: Version,
  items: z.nullish(z.array(z.object({ metadata: Metadata }))),
})
const WatchEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.enum(['ADDED', 'MODIFIED', 'DELETED']),
    object: z.object({ metadata: z.extend(Metadata, Version.shape) }),
  }),
  z.object({ type: z.literal('BOOKMARK'), object: z.object({ metadata: Version }) }),
  z.object({ type: z.literal('ERROR'), object: z.object({ code: z.number() }) }),
])

/** A watch that ends sooner was hardly one: the next does not follow at once. */
const SHORT_WATCH_MS = 1000

/**
 * Lists and watches until the signal. A watch that the API server ends is taken up where it ended;
 * anything else (410 Gone among it: the version is too old) leads to a new list after a pause. What
 * is known stays known meanwhile.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export function followServiceAccounts(
  source: ServiceAccountSource,
  { onError, signal, pause, now = () => performance.now() }: FollowOptions,
): FollowedServiceAccounts {
  const { promise: listed, resolve } = Promise.withResolvers<void>()
  let held = new Map<string, ServiceAccountAnnotations>()
  let failures = 0

  async function list(): Promise<string> {
    const { metadata, items } = parsed(ServiceAccountList, await source.list())
    held = new Map(
      items?.map((item) => [keyOf(item.metadata), item.metadata.annotations ?? {}] as const),
    )
    resolve()
    return metadata.resourceVersion
  }

  /** The version after the event. */
  function take(line: string): string {
    const event = parsed(WatchEvent, jsonOf(line))
    if (event.type === 'ERROR') throw new Error(`the watch ended with ${event.object.code}`)
    if (event.type !== 'BOOKMARK') {
      const { metadata } = event.object
      if (event.type === 'DELETED') held.delete(keyOf(metadata))
      else held.set(keyOf(metadata), metadata.annotations ?? {})
    }
    return event.object.metadata.resourceVersion
  }

  async function listAndWatch(): Promise<void> {
    let version = await list()
    while (!signal.aborted) {
      const begin = now()
      for await (const line of source.watch(version)) {
        version = take(line)
        failures = 0
      }
      failures = 0
      if (now() - begin < SHORT_WATCH_MS) await pause(SHORT_WATCH_MS)
    }
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        await listAndWatch()
      } catch (error) {
        if (signal.aborted) return
        onError(error)
        failures += 1
        await pause(retryDelayMs(failures))
      }
    }
  }

  void follow()
  return { listed, annotationsOf: (namespace, name) => held.get(keyOf({ namespace, name })) }
}

/** No part of a name has a slash. */
const keyOf = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`

/** Throws an error that says nothing of the content. */
function parsed<S extends z.ZodMiniType>(schema: S, content: unknown): z.output<S> {
  const result = schema.safeParse(content)
  if (!result.success) throw new Error('the API server sent what is no list or event')
  return result.data
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
